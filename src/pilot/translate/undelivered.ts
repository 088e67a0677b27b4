/**
 * How a callee's sidecar tells the caller's that its app cannot have seen a request. Without it, an app that died behind a living
 * sidecar is a 503 like any other, which nobody may repeat. The inbound side writes the header on its own answers only and
 * removes it from the app's; the outbound side reads it for retries and removes it before the app that called.
 */
import type { HeaderMatcherJson, LocalReplyConfigJson } from '../../xds/envoy-json.js';
import type { Retries } from './policy.js';

export const UNDELIVERED_HEADER = 'x-mesh-undelivered';

/** RFC 9110, 9.2.2: doing these twice is the same as once. */
const IDEMPOTENT_METHODS = 'GET|HEAD|OPTIONS|TRACE|PUT|DELETE';

/** On the inbound side: what the connection to the app came to. */
export const undeliveredReplies: LocalReplyConfigJson = {
  mappers: [
    reply({ responseFlagFilter: { flags: ['UF'] } }, 'connect'),
    reply(
      {
        andFilter: {
          filters: [
            { responseFlagFilter: { flags: ['UC', 'UR'] } },
            {
              headerFilter: { header: { name: ':method', stringMatch: { safeRegex: { regex: IDEMPOTENT_METHODS } } } },
            },
          ],
        },
      },
      'reset-idempotent',
    ),
    reply({ responseFlagFilter: { flags: ['UC', 'UR'] } }, 'reset'),
  ],
};

type Mapper = NonNullable<LocalReplyConfigJson['mappers']>[number];

function reply(filter: NonNullable<Mapper['filter']>, value: string): Mapper {
  return { filter, headersToAdd: [{ header: { key: UNDELIVERED_HEADER, value } }] };
}

/** On the outbound side: which of those answers may be repeated. */
export function undeliveredMatchers(behindSidecar: Retries['behindSidecar']): readonly HeaderMatcherJson[] {
  switch (behindSidecar) {
    case 'none':
      return [];
    case 'unreached':
      return [{ name: UNDELIVERED_HEADER, stringMatch: { exact: 'connect' } }];
    case 'unreached-or-idempotent':
      return [
        { name: UNDELIVERED_HEADER, stringMatch: { exact: 'connect' } },
        { name: UNDELIVERED_HEADER, stringMatch: { exact: 'reset-idempotent' } },
      ];
    case 'any-reset':
      return [{ name: UNDELIVERED_HEADER, presentMatch: true }];
  }
}
