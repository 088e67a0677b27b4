/** Istio's own validation tests as data (fixtures/conformance/istio): each object with its verdict, and ours beside it. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseAllDocuments } from 'yaml';
import { allKinds } from '../../src/dsl/kinds.js';
import type { Problem } from '../../src/model/problem.js';
import { problemsIn } from './mesh-world.js';

const folder = path.resolve(import.meta.dirname, '../../fixtures/conformance/istio');

export interface ValidationCase {
  /** `17`, or `destinationrule-invalid 3` of the CRD files (positions from 1). */
  readonly id: string;
  readonly kind: string;
  readonly document: unknown;
  readonly isValid: boolean;
  readonly istioError: string | undefined;
}

interface Row {
  readonly id: number;
  readonly validator: string;
  readonly valid: boolean;
  readonly istioError?: string;
  readonly metadata?: object;
  readonly spec?: unknown;
  readonly in?: unknown;
  readonly args?: { readonly delegate?: boolean };
}

type Wrap = (part: unknown, row: Row) => { readonly kind: string; readonly spec: unknown };

const route = [{ destination: { host: 'a.example.com' } }];
const http =
  (rule: (part: unknown) => object): Wrap =>
  (part) => ({ kind: 'VirtualService', spec: { hosts: ['a.example.com'], http: [rule(part)] } });
const policy =
  (block: (part: unknown) => unknown): Wrap =>
  (part) => ({ kind: 'DestinationRule', spec: { host: 'a.example.com', trafficPolicy: block(part) } });
const gateway =
  (server: (part: unknown) => unknown): Wrap =>
  (part) => ({ kind: 'Gateway', spec: { selector: { istio: 'ingressgateway' }, servers: [server(part)] } });

/** Some of Istio's tests are of a part of an object: the smallest right object around it. */
const wraps: Readonly<Record<string, Wrap>> = {
  validateServer: gateway((server) => server),
  validateTLSOptions: gateway((tls) => ({
    hosts: ['a.example.com'],
    port: { number: 443, name: 'https', protocol: 'HTTPS' },
    tls,
  })),
  validateCORSPolicy: http((corsPolicy) => ({ route, corsPolicy })),
  validateHTTPFaultInjectionAbort: http((abort) => ({ route, fault: { abort } })),
  validateHTTPFaultInjectionDelay: http((delay) => ({ route, fault: { delay } })),
  validateHTTPRewrite: http((rewrite) => ({ route, rewrite })),
  validateURIRegexRewrite: http((uriRegexRewrite) => ({ route, rewrite: { uriRegexRewrite } })),
  validateHTTPRedirect: http((redirect) => ({ redirect })),
  validateHTTPDirectResponse: http((directResponse) => ({ directResponse })),
  validateDestination: http((destination) => ({ route: [{ destination }] })),
  validateHTTPRoute: (rule, { args }) => ({
    kind: 'VirtualService',
    spec: { ...(args?.delegate === true ? {} : { hosts: ['a.example.com'] }), http: [rule] },
  }),
  validateTrafficPolicy: policy((whole) => whole),
  validateConnectionPool: policy((connectionPool) => ({ connectionPool })),
  validateLoadBalancer: policy((loadBalancer) => ({ loadBalancer })),
  validateOutlierDetection: policy((outlierDetection) => ({ outlierDetection })),
};

const groups: Readonly<Record<string, string>> = {
  AuthorizationPolicy: 'security.istio.io/v1',
  PeerAuthentication: 'security.istio.io/v1',
  RequestAuthentication: 'security.istio.io/v1',
  Telemetry: 'telemetry.istio.io/v1',
  WasmPlugin: 'extensions.istio.io/v1alpha1',
  EnvoyFilter: 'networking.istio.io/v1alpha3',
  ProxyConfig: 'networking.istio.io/v1beta1',
};

function caseOf(row: Row): ValidationCase {
  const { kind, spec } = wraps[row.validator]?.(row.in, row) ?? {
    kind: row.validator.replace('Validate', ''),
    spec: row.spec,
  };
  const apiVersion = groups[kind] ?? 'networking.istio.io/v1';
  const metadata = { name: 'case', ...row.metadata };
  return {
    id: String(row.id),
    kind,
    document: { apiVersion, kind, metadata, spec },
    isValid: row.valid,
    istioError: row.istioError,
  };
}

export function validationCases(): readonly ValidationCase[] {
  const lines = readFileSync(path.join(folder, 'validation-cases.jsonl'), 'utf8').trim().split('\n');
  return lines.map((line) => caseOf(JSON.parse(line) as Row));
}

/** What Istio's schemas refuse or accept, before its validation is asked. */
export function crdCases(): readonly ValidationCase[] {
  return readdirSync(path.join(folder, 'validation-crds')).flatMap((file) => {
    const text = readFileSync(path.join(folder, 'validation-crds', file), 'utf8');
    const documents = parseAllDocuments(text).map((document) => document.toJS() as Record<string, unknown> | null);
    return documents
      .filter((document) => document !== null)
      .map(({ _err: error, ...document }, i): ValidationCase => {
        return {
          id: `${file.replace('.yaml', '')} ${i + 1}`,
          kind: String(document['kind']),
          document,
          isValid: error === undefined,
          istioError: error as string | undefined,
        };
      });
  });
}

export const knownKinds: ReadonlySet<string> = new Set(allKinds.map(({ kind }) => kind));

/** Why we refuse it; empty when we do not. A reference to what is not there is another question than validity. */
export function refusals(one: ValidationCase): readonly Problem[] {
  return problemsIn(JSON.stringify(one.document)).filter(
    ({ code, severity }) => severity === 'error' && code !== 'MESH1010',
  );
}
