/** What a condition of an AuthorizationPolicy looks at: `request.headers[x-user]`, `source.ip` (reference: 1.10). */

const plainKeys = [
  'source.ip',
  'remote.ip',
  'source.namespace',
  'source.serviceAccount',
  'source.trustDomain',
  'source.principal',
  'request.auth.principal',
  'request.auth.audiences',
  'request.auth.presenter',
  'destination.ip',
  'destination.port',
  'connection.sni',
] as const;
export type PlainKey = (typeof plainKeys)[number];

export type ConditionKey =
  | { readonly kind: PlainKey }
  | { readonly kind: 'header'; readonly name: string }
  /** Of a token, the outermost first. */
  | { readonly kind: 'claim'; readonly path: readonly string[] }
  /** What a filter of Envoy has said of the request or the connection. */
  | { readonly kind: 'metadata'; readonly filter: string; readonly name: string };

/** For messages. */
export const conditionKeys: readonly string[] = [
  ...plainKeys,
  'request.headers[NAME]',
  'request.auth.claims[NAME]',
  'experimental.envoy.filters.FILTER[NAME]',
];

/** Undefined: there is no such key. */
export function readConditionKey(text: string): ConditionKey | undefined {
  const plain = plainKeys.find((key) => key === text);
  if (plain !== undefined) return { kind: plain };
  const [, subject = '', brackets = ''] = /^([^[\]]+)((?:\[[^[\]]+\])+)$/.exec(text) ?? [];
  const names = brackets.slice(1, -1).split('][');
  const [name = ''] = names;
  if (subject === 'request.auth.claims') return { kind: 'claim', path: names };
  if (names.length > 1) return undefined;
  if (subject === 'request.headers') return { kind: 'header', name };
  const [, filter] = /^experimental\.(envoy\.filters\..+)$/.exec(subject) ?? [];
  return filter === undefined ? undefined : { kind: 'metadata', filter, name };
}

/** Only requests have it, and bytes of a connection have not. */
export function isOfRequests({ kind }: ConditionKey): boolean {
  return kind === 'header' || kind === 'claim' || kind.startsWith('request.');
}
