/** One rule of an AuthorizationPolicy as a policy of Envoy's RBAC filter (reference: 1.10; the forms are Istio's). */
import type { AuthorizationRule, AuthorizedOperation, AuthorizedSource } from '../../dsl/authorization-policy-shape.js';
import { readConditionKey } from '../../dsl/condition-key.js';
import { envoyTemplate, isPathTemplate } from '../../dsl/path-template.js';
import { any } from '../../xds/envoy-any.js';
import type {
  HeaderMatcherJson,
  MetadataMatcherJson,
  PermissionJson,
  PrincipalJson,
  RbacPolicyJson,
  StringMatcherJson,
  ValueMatcherJson,
} from '../../xds/envoy-json.js';
import { cidrRange } from './cidr-range.js';
import { escaped } from './escaped.js';
import { PAYLOAD, TOKENS } from './request-authentication.js';
import { withAliases } from './trust-domain.js';

export interface RuleScene {
  /** Of the policy. */
  readonly namespace: string;
  /** What is judged: requests, or connections whose bytes are passed on. */
  readonly layer: 'http' | 'tcp';
  readonly isAllow: boolean;
  /** The instance's own first. */
  readonly trustDomains: readonly string[];
  readonly boundPorts: BoundPorts;
}

/** Where the ports of the service are bound. A port that is not in it is bound as it is. */
export type BoundPorts = Readonly<Record<number, readonly number[]>>;

/** Undefined when it can never hold there: an ALLOW rule that asks a connection for what only requests have. */
export function rbacPolicy(rule: AuthorizationRule, scene: RuleScene): RbacPolicyJson | undefined {
  const { from = [undefined], to = [undefined] } = rule;
  const conditions = conditionsOf(rule, scene);
  const principals = from.map((one) =>
    every(principalForms, [...sourceAsks(one?.source, scene), ...conditions.who], scene),
  );
  const permissions = to.map((one) =>
    every(permissionForms, [...operationAsks(one?.operation, scene), ...conditions.what], scene),
  );
  if ([...principals, ...permissions].includes(undefined)) return undefined;
  return {
    permissions: permissions.filter((one) => one !== undefined),
    principals: principals.filter((one) => one !== undefined),
  };
}

/** One thing that is asked for: one of `values`, and none of `notValues`. */
interface Ask<Form> {
  readonly values: readonly string[];
  readonly notValues: readonly string[];
  readonly isOfRequests: boolean;
  readonly oneOf: (values: readonly string[]) => Form;
}

/** Permissions (what) and principals (who) of Envoy are the same logic in two spellings. */
interface Forms<Form> {
  readonly and: (forms: Form[]) => Form;
  readonly not: (form: Form) => Form;
  readonly any: Form;
}

const permissionForms: Forms<PermissionJson> = {
  and: (rules) => ({ andRules: { rules } }),
  not: (notRule) => ({ notRule }),
  any: { any: true },
};
const principalForms: Forms<PrincipalJson> = {
  and: (ids) => ({ andIds: { ids } }),
  not: (notId) => ({ notId }),
  any: { any: true },
};

/**
 * What a connection cannot answer makes an ALLOW rule hold never, and is left out of any other, so that this refuses more: each
 * errs on the safe side.
 */
function every<Form>(forms: Forms<Form>, asks: readonly Ask<Form>[], { layer, isAllow }: RuleScene): Form | undefined {
  const said = asks.filter(({ values, notValues }) => values.length + notValues.length > 0);
  const isAskable = (ask: Ask<Form>): boolean => layer === 'http' || !ask.isOfRequests;
  if (isAllow && !said.every(isAskable)) return undefined;
  const all = said
    .filter(isAskable)
    .flatMap(({ values, notValues, oneOf }) => [
      ...(values.length === 0 ? [] : [oneOf(values)]),
      ...(notValues.length === 0 ? [] : [forms.not(oneOf(notValues))]),
    ]);
  return forms.and(all.length === 0 ? [forms.any] : all);
}

type Lists = readonly [values: readonly string[] | undefined, notValues: readonly string[] | undefined];

function ask<Form>([values = [], notValues = []]: Lists, oneOf: Ask<Form>['oneOf'], isOfRequests = false): Ask<Form> {
  return { values, notValues, isOfRequests, oneOf };
}

function askRequest<Form>(lists: Lists, oneOf: Ask<Form>['oneOf']): Ask<Form> {
  return ask(lists, oneOf, true);
}

const oneRule =
  (of: (value: string) => PermissionJson | readonly PermissionJson[]) =>
  (values: readonly string[]): PermissionJson => ({ orRules: { rules: values.flatMap(of) } });
const oneId =
  (of: (value: string) => PrincipalJson) =>
  (values: readonly string[]): PrincipalJson => ({ orIds: { ids: values.map(of) } });

function sourceAsks(source: AuthorizedSource | undefined, scene: RuleScene): readonly Ask<PrincipalJson>[] {
  return [
    principalAsk([source?.principals, source?.notPrincipals], scene),
    askRequest([source?.requestPrincipals, source?.notRequestPrincipals], oneId(requestPrincipal)),
    ask([source?.namespaces, source?.notNamespaces], oneId(ofNamespace)),
    ask([source?.serviceAccounts, source?.notServiceAccounts], oneId(ofServiceAccount(scene.namespace))),
    ask([source?.trustDomains, source?.notTrustDomains], oneId(ofTrustDomain)),
    ask([source?.remoteIpBlocks, source?.notRemoteIpBlocks], oneId(remoteIp)),
    ask([source?.ipBlocks, source?.notIpBlocks], oneId(directRemoteIp)),
  ];
}

function operationAsks(
  operation: AuthorizedOperation | undefined,
  { boundPorts }: RuleScene,
): readonly Ask<PermissionJson>[] {
  return [
    askRequest([operation?.hosts, operation?.notHosts], oneRule(hostIs)),
    askRequest(
      [operation?.methods, operation?.notMethods],
      oneRule((value) => ({ header: headerIs(':method', value) })),
    ),
    askRequest([operation?.paths, operation?.notPaths], oneRule(pathIs)),
    portAsk([operation?.ports, operation?.notPorts], boundPorts),
  ];
}

function conditionsOf(
  { when }: AuthorizationRule,
  scene: RuleScene,
): { readonly who: readonly Ask<PrincipalJson>[]; readonly what: readonly Ask<PermissionJson>[] } {
  const who: Ask<PrincipalJson>[] = [];
  const what: Ask<PermissionJson>[] = [];
  for (const { key, values, notValues } of when) {
    const lists = [values, notValues] as const;
    const read = readConditionKey(key);
    switch (read?.kind) {
      case undefined: // refused when it was applied
        break;
      case 'source.ip':
        who.push(ask(lists, oneId(directRemoteIp)));
        break;
      case 'remote.ip':
        who.push(ask(lists, oneId(remoteIp)));
        break;
      case 'source.namespace':
        who.push(ask(lists, oneId(ofNamespace)));
        break;
      case 'source.serviceAccount':
        who.push(ask(lists, oneId(ofServiceAccount(scene.namespace))));
        break;
      case 'source.trustDomain':
        who.push(ask(lists, oneId(ofTrustDomain)));
        break;
      case 'source.principal':
        who.push(principalAsk(lists, scene));
        break;
      case 'request.auth.principal':
        who.push(askRequest(lists, oneId(requestPrincipal)));
        break;
      case 'request.auth.audiences':
        who.push(askRequest(lists, claimIs(['aud'])));
        break;
      case 'request.auth.presenter':
        who.push(askRequest(lists, claimIs(['azp'])));
        break;
      case 'claim':
        who.push(askRequest(lists, claimIs(read.path)));
        break;
      case 'header':
        who.push(
          askRequest(
            lists,
            oneId((value) => ({ header: headerIs(read.name, value) })),
          ),
        );
        break;
      case 'destination.ip':
        what.push(
          ask(
            lists,
            oneRule((value) => ({ destinationIp: cidrRange(value) })),
          ),
        );
        break;
      case 'destination.port':
        what.push(portAsk(lists, scene.boundPorts));
        break;
      case 'connection.sni':
        what.push(
          ask(
            lists,
            oneRule((value) => ({ requestedServerName: textIs(value) })),
          ),
        );
        break;
      case 'metadata':
        what.push(ask(lists, (all) => ({ metadata: metadataIs(read.filter, [read.name], all.map(filterValue)) })));
        break;
    }
  }
  return { who, what };
}

function portAsk(lists: Lists, boundPorts: BoundPorts): Ask<PermissionJson> {
  return ask(
    lists,
    oneRule((value) => (boundPorts[Number(value)] ?? [Number(value)]).map((destinationPort) => ({ destinationPort }))),
  );
}

function principalAsk([values, notValues]: Lists, { trustDomains }: RuleScene): Ask<PrincipalJson> {
  return ask(
    [withAliases(values, trustDomains), withAliases(notValues, trustDomains)],
    oneId((value) => proved(textIs(value.replace(SPIFFE, ''), SPIFFE))),
  );
}

const SPIFFE = 'spiffe://';
const SOMETHING: StringMatcherJson = { safeRegex: { regex: '.+' } };

/** `prefix` stands before the value. */
function textIs(value: string, prefix = ''): StringMatcherJson {
  if (value === '*') return SOMETHING;
  if (value.startsWith('*')) {
    const suffix = value.slice(1);
    return prefix === '' ? { suffix } : { safeRegex: { regex: `${prefix}.*${escaped(suffix)}` } };
  }
  return value.endsWith('*') ? { prefix: prefix + value.slice(0, -1) } : { exact: prefix + value };
}

function headerIs(name: string, value: string, isAnyCase = false): HeaderMatcherJson {
  if (value === '*') return { name, presentMatch: true };
  return { name, stringMatch: { ...textIs(value), ...(isAnyCase ? { ignoreCase: true } : {}) } };
}

function hostIs(value: string): PermissionJson {
  return { header: headerIs(':authority', value, true) };
}

function pathIs(value: string): PermissionJson {
  if (!isPathTemplate(value)) return { urlPath: { path: textIs(value) } };
  const typedConfig = any('envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig', {
    pathTemplate: envoyTemplate(value),
  });
  return { uriTemplate: { name: 'uri-template', typedConfig } };
}

function remoteIp(value: string): PrincipalJson {
  return { remoteIp: cidrRange(value) };
}

function directRemoteIp(value: string): PrincipalJson {
  return { directRemoteIp: cidrRange(value) };
}

/** By the certificate of the caller. */
function proved(principalName: StringMatcherJson): PrincipalJson {
  return { authenticated: { principalName } };
}

function provedBy(regex: string): PrincipalJson {
  return proved({ safeRegex: { regex } });
}

function ofNamespace(value: string): PrincipalJson {
  return provedBy(`.*/ns/${starred(value, '.*')}/.*`);
}

function ofServiceAccount(own: string): (value: string) => PrincipalJson {
  return (value) => {
    const [namespace = '', name = ''] = value.includes('/') ? value.split('/') : [own, value];
    return provedBy(`spiffe://.+/ns/${escaped(namespace)}/(.+/|)sa/${escaped(name)}(/.+)?`);
  };
}

function ofTrustDomain(value: string): PrincipalJson {
  return value.includes('*')
    ? provedBy(`${SPIFFE}${starred(value, '[^/]*')}/.*`)
    : proved({ prefix: `${SPIFFE}${value}/` });
}

function starred(value: string, star: string): string {
  return value.split('*').map(escaped).join(star);
}

/** ISSUER/SUBJECT: an issuer is a URL mostly, so the last slash parts them. */
function requestPrincipal(value: string): PrincipalJson {
  const [issuer, subject] = principalParts(value);
  const claim = (name: string, matcher: StringMatcherJson): PrincipalJson => ({
    metadata: { filter: TOKENS, path: pathOf([PAYLOAD, name]), value: { stringMatch: matcher } },
  });
  return { andIds: { ids: [claim('iss', textIs(issuer)), claim('sub', textIs(subject))] } };
}

function principalParts(value: string): readonly [issuer: string, subject: string] {
  const slash = value.lastIndexOf('/');
  // The last slash of https://accounts.example* is in the middle of an issuer.
  const isInIssuer = value.endsWith('*') && /^\w+:\/\/[^/]+$/.test(value);
  if (slash !== -1 && !isInIssuer) return [value.slice(0, slash), value.slice(slash + 1)];
  if (value.endsWith('*')) return [value, '*'];
  return value.startsWith('*') ? ['*', value] : [value, ''];
}

/** A claim is a text, or a list of which one is enough. */
function claimIs(names: readonly string[]): (values: readonly string[]) => PrincipalJson {
  return (values) => {
    const texts: ValueMatcherJson[] = values.map((value) => ({ stringMatch: textIs(value) }));
    const value = { orMatch: { valueMatchers: [{ listMatch: { oneOf: oneValue(texts) } }, oneValue(texts)] } };
    return { metadata: { filter: TOKENS, path: pathOf([PAYLOAD, ...names]), value } };
  };
}

/** `[x]` is in a list. */
function filterValue(value: string): ValueMatcherJson {
  const [, inner] = /^\[(.*)\]$/.exec(value) ?? [];
  return inner === undefined
    ? { stringMatch: textIs(value) }
    : { listMatch: { oneOf: { stringMatch: textIs(inner) } } };
}

function metadataIs(filter: string, path: readonly string[], values: ValueMatcherJson[]): MetadataMatcherJson {
  return { filter, path: pathOf(path), value: oneValue(values) };
}

function pathOf(keys: readonly string[]): { key: string }[] {
  return keys.map((key) => ({ key }));
}

function oneValue(values: readonly ValueMatcherJson[]): ValueMatcherJson {
  const [first] = values;
  return values.length === 1 && first !== undefined ? first : { orMatch: { valueMatchers: [...values] } };
}
