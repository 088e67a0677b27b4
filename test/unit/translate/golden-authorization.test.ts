/**
 * Istio's own AuthorizationPolicy tests as data: the filters that our policies become are what Istio's become. Compared by meaning;
 * what the normaliser takes away is written there, and cases that differ are listed with their reason.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { authorizationPolicyKind } from '../../../src/dsl/authorization-policy.js';
import { allKinds } from '../../../src/dsl/kinds.js';
import { indexDefinitions, viewOf } from '../../../src/model/definition.js';
import { type ExtensionProvider, extensionProvidersSchema } from '../../../src/model/extension-provider.js';
import { parseDefinitions } from '../../../src/model/parse.js';
import { type AuthorizationPolicy, customGuards, ruleGuards } from '../../../src/pilot/translate/authorization.js';
import { decodeMessage, encodeMessage } from '../../../src/xds/encode.js';
import type { RbacPolicyJson } from '../../../src/xds/envoy-json.js';
import { isEqual, unseenMutants } from '../../support/golden.js';

const folder = path.resolve(import.meta.dirname, '../../../fixtures/conformance/istio/authz');

interface GoldenCase {
  readonly name: string;
  readonly policies: readonly AuthorizationPolicy[];
  readonly expected: readonly object[];
}

const differences: ReadonlyMap<string, string> = new Map([
  ['http/allow-host-before-111', 'the form for Envoys before 1.11, where a host had no case of its own'],
]);

/** Inputs whose name is not the beginning of their output's: there the provider differs. */
const inputs: Readonly<Record<string, string>> = {
  'custom-bad': 'custom-simple-http',
  'custom-grpc-provider': 'custom-simple-http',
  'custom-grpc-provider-no-namespace': 'custom-simple-http',
  'custom-http-provider': 'custom-simple-http',
};

const files = (layer: string): readonly string[] => readdirSync(path.join(folder, layer));
const text = (...at: readonly string[]): string => readFileSync(path.join(folder, ...at), 'utf8');

const cases: readonly GoldenCase[] = ['http', 'tcp'].flatMap((layer) => {
  const names = new Set(files(layer).flatMap((file) => /^(.+)-out\d?\.yaml$/.exec(file)?.[1] ?? []));
  return [...names].map((name): GoldenCase => {
    const short = name.replace(/^extended-/, '');
    const outputs = ['out', 'out1', 'out2'].map((out) => `${name}-${out}.yaml`);
    return {
      name: `${layer}/${name}`,
      policies: policiesIn(text(layer, `${inputs[short] ?? short}-in.yaml`)),
      expected: outputs
        .filter((file) => existsSync(path.join(folder, layer, file)))
        .map((file) => parse(text(layer, file)) as object),
    };
  });
});

function policiesIn(yaml: string): readonly AuthorizationPolicy[] {
  const { definitions, problems } = parseDefinitions([{ name: 'in.yaml', text: yaml }], allKinds);
  if (problems.length > 0) throw new Error(problems.map(({ message }) => message).join('\n'));
  return viewOf(indexDefinitions(definitions)).all(authorizationPolicyKind);
}

const some = ['x-prefix-*', '*-suffix'];
const service = 'foo/my-custom-ext-authz.foo.svc.cluster.local';
const providers: Readonly<Record<string, object>> = {
  'custom-http-provider': {
    envoyExtAuthzHttp: {
      service,
      port: 9000,
      timeout: '10s',
      failOpen: true,
      statusOnError: '403',
      pathPrefix: '/check',
      includeRequestHeadersInCheck: ['x-custom-id', ...some],
      includeAdditionalHeadersInCheck: { 'x-header-1': 'value-1', 'x-header-2': 'value-2' },
      includeRequestBodyInCheck: { maxRequestBytes: 2048, allowPartialMessage: true, packAsBytes: true },
      headersToUpstreamOnAllow: ['Authorization', ...some],
      headersToDownstreamOnDeny: ['Set-cookie', ...some],
      headersToDownstreamOnAllow: ['Set-cookie', ...some],
    },
  },
  'custom-grpc-provider': {
    envoyExtAuthzGrpc: {
      service,
      port: 9000,
      timeout: '2ms',
      failOpen: true,
      statusOnError: '403',
      includeRequestBodyInCheck: { maxRequestBytes: 4096, allowPartialMessage: true },
    },
  },
  'custom-both-http-tcp': { envoyExtAuthzGrpc: { service, port: 9000, timeout: '2ms', failOpen: true } },
  'custom-grpc-provider-no-namespace': { envoyExtAuthzGrpc: { service, port: 9000, failOpen: true } },
};

const trustDomains: Readonly<Record<string, readonly string[]>> = {
  'simple-policy-td-aliases': ['td1', 'cluster.local'],
  'simple-policy-multiple-td-aliases': ['td1', 'cluster.local', 'some-td'],
  'simple-policy-principal-with-wildcard': ['td1', 'foobar'],
  'td-aliases-source-principal': ['new-td', 'old-td', 'some-trustdomain'],
};

function ours({ name, policies }: GoldenCase): readonly object[] {
  const [layer = '', short = ''] = name.replace('extended-', '').split('/');
  const provider = providers[short];
  const named: readonly ExtensionProvider[] =
    provider === undefined ? [] : extensionProvidersSchema.parse([{ name: 'default', ...provider }]);
  const scene = { trustDomains: trustDomains[short] ?? ['cluster.local'], boundPorts: {} };
  const cluster = 'outbound|9000||my-custom-ext-authz.foo.svc.cluster.local';
  const clusters = provider === undefined ? {} : { default: cluster };
  const guards = [customGuards(policies, scene, named, clusters), ruleGuards(policies, scene)];
  return guards.flatMap(({ http, network }): readonly object[] => (layer === 'http' ? http : network));
}

/**
 * Through Envoy's own types, so that spelling and defaults are no difference. What is the same thing in both:
 * - the prefix of the statistics of a dry run, where none is tried.
 */
function normal(filters: readonly object[]): unknown {
  return filters.map((filter) => {
    const { name, typedConfig } = decodeMessage(HTTP_FILTER, encodeMessage(HTTP_FILTER, filter)) as {
      readonly name: string;
      readonly typedConfig: Readonly<Record<string, unknown>>;
    };
    const { shadowRulesStatPrefix: _prefix, ...config } = typedConfig;
    return { name, typedConfig: config['shadowRules'] === undefined ? config : typedConfig };
  });
}

/** A filter of connections has the same form. */
const HTTP_FILTER = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter';

/** Istio asks a provider also for rules of another one whose name begins the same. */
function expected(one: GoldenCase): unknown {
  const json = JSON.stringify(one.expected).replaceAll(
    '"prefix":"istio-ext-authz-default"',
    '"prefix":"istio-ext-authz-default-ns["',
  );
  return normal(JSON.parse(json) as readonly object[]);
}

interface Rbac {
  readonly name: string;
  readonly typedConfig: Readonly<Record<'rules' | 'shadowRules', { readonly policies: object } | undefined>>;
}

/** A filter for each thing that its rules ask: a long rule would be encoded again for each change of a part. */
function pieces(filter: object): readonly object[] {
  const { typedConfig, ...rest } = filter as Rbac;
  return (['rules', 'shadowRules'] as const).flatMap((where) => {
    const rules = typedConfig[where];
    if (rules === undefined) return where === 'rules' && typedConfig.shadowRules === undefined ? [filter] : [];
    return Object.entries(rules.policies).flatMap(([name, policy]) => {
      const { permissions, principals } = policy as RbacPolicyJson;
      const parts = [
        ...(permissions ?? []).flatMap(({ andRules }) => andRules?.rules ?? []).map((one) => ({ permissions: [one] })),
        ...(principals ?? []).flatMap(({ andIds }) => andIds?.ids ?? []).map((one) => ({ principals: [one] })),
      ];
      return parts.map((part) => ({
        ...rest,
        typedConfig: { ...typedConfig, [where]: { ...rules, policies: { [name]: part } } },
      }));
    });
  });
}

const isSame = (one: GoldenCase): boolean => isEqual(normal(ours(one)), expected(one));

describe("Istio's AuthorizationPolicy cases", () => {
  it('are all there', () => {
    expect(cases).toHaveLength(51);
  });

  it('become the same filters', () => {
    const others = cases.filter((one) => !differences.has(one.name) && !isSame(one));
    expect(others.map(({ name }) => name)).toEqual([]);
  });

  it('differ where it is listed: an entry that no longer holds goes, and there are few', () => {
    expect(cases.filter((one) => differences.has(one.name) && isSame(one)).map(({ name }) => name)).toEqual([]);
    expect(differences.size / cases.length).toBeLessThanOrEqual(0.03);
  });

  it('are compared so that a change of one field is seen', () => {
    const once = cases.filter((one) => isSame(one) && !one.name.includes('extended-'));
    const equal = once.flatMap((one) =>
      ours(one)
        .flatMap(pieces)
        .map((piece) => [one.name, piece] as const),
    );
    const { mutants, unseen } = unseenMutants(equal, (piece) => normal([piece]));
    expect(mutants).toBeGreaterThan(2500);
    expect(unseen.length / mutants, unseen.slice(0, 40).join('\n')).toBeLessThan(0.05);
  }, 60_000);
});
