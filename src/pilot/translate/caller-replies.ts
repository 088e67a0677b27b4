/** What the outbound proxy itself answers, so that a person who sees it knows what to change. */
import type { LocalReplyConfigJson } from '../../xds/envoy-json.js';
import type { ProxyScope } from './proxy.js';
import { remember, sameContent } from './remember.js';

type Mapper = NonNullable<LocalReplyConfigJson['mappers']>[number];

/** Response header that tells an answer of the proxy from one of the service. */
export const REASON_HEADER = 'x-mesh-reason';

/** One object for all proxies that call the same. */
export const callerReplies: (scope: ProxyScope) => LocalReplyConfigJson = remember((scope: ProxyScope) =>
  sameContent(repliesTo(scope)),
);

function repliesTo(scope: ProxyScope): LocalReplyConfigJson {
  const upstreams = scope.upstreams.map(({ service, namespace, port }) => {
    return `${namespace === scope.namespace ? service : `${service}.${namespace}`}:${port}`;
  });
  const known = upstreams.length === 0 ? 'it has none' : `it has ${upstreams.join(', ')}`;
  return {
    mappers: [
      // Faults that a rule injects stay as the rule says.
      { filter: { responseFlagFilter: { flags: ['FI'] } } },
      mapper(
        { responseFlagFilter: { flags: ['NR'] } },
        'no-rule',
        'no rule for %REQ(:AUTHORITY)% takes this request\n',
      ),
      mapper(
        {
          statusCodeFilter: { comparison: { op: 'EQ', value: { defaultValue: 404, runtimeKey: 'mesh.unknown_host' } } },
        },
        'unknown-host',
        `no service "%REQ(:AUTHORITY)%" is an upstream of ${scope.service}: ${known}\n`,
      ),
    ],
  };
}

/** At the edge: strangers are not told what there is. */
export const edgeReplies: LocalReplyConfigJson = {
  mappers: [
    { filter: { responseFlagFilter: { flags: ['FI'] } } },
    mapper({ responseFlagFilter: { flags: ['NR'] } }, 'no-rule', 'nothing is served here\n'),
  ],
};

function mapper(filter: NonNullable<Mapper['filter']>, reason: string, text: string): Mapper {
  return {
    filter,
    headersToAdd: [{ header: { key: REASON_HEADER, value: reason } }],
    bodyFormatOverride: { textFormatSource: { inlineString: text }, contentType: 'text/plain' },
  };
}
