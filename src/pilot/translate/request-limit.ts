/** What an instance takes at most: counted by its own sidecar, behind authorization, so that nobody uses up what is for others. */
import type { Definition } from '../../model/definition.js';
import { durationMs } from '../../model/fields.js';
import type { RouteSpec } from '../../model/route.js';
import { any } from '../../xds/envoy-any.js';
import type { HttpFilterJson } from '../../xds/envoy-json.js';
import { REASON_HEADER } from './caller-replies.js';
import { remember } from './remember.js';

/** One bucket for each listener that it stands in, shared by the threads of Envoy (envoy.filters.http.local_ratelimit). */
export const requestLimit: (route: Definition<RouteSpec>) => readonly HttpFilterJson[] = remember(
  ({ spec: { limit } }: Definition<RouteSpec>): readonly HttpFilterJson[] => {
    if (limit === undefined) return [];
    const { requests, per, burst = requests } = limit;
    const always = { defaultValue: { numerator: 100 } };
    return [
      {
        name: 'envoy.filters.http.local_ratelimit',
        typedConfig: any('envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit', {
          statPrefix: 'limit',
          tokenBucket: { maxTokens: burst, tokensPerFill: requests, fillInterval: `${durationMs(per) / 1000}s` },
          filterEnabled: always,
          filterEnforced: always,
          rateLimitedAsResourceExhausted: true,
          responseHeadersToAdd: [
            { header: { key: REASON_HEADER, value: 'limit' }, appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD' },
          ],
        }),
      },
    ];
  },
);
