import { protoDuration } from '../../model/duration.js';
import { any } from '../../xds/envoy-any.js';
import type { RetryPolicyJson } from '../../xds/envoy-json.js';
import type { Retries } from './policy.js';
import { undeliveredMatchers } from './undelivered.js';

/** How often Envoy looks for an instance that has not failed this request before. */
const MAX_HOST_SELECTIONS = 5;

/** After so many tries a priority that has failed is left out (Istio's number). */
const PRIORITY_UPDATE_TRIES = 2;

export function retryPolicy(retries: Retries, isHashed: boolean): RetryPolicyJson {
  const previousHosts = retries.previousHosts === 'unless-hashed' ? !isHashed : retries.previousHosts;
  const undelivered = undeliveredMatchers(retries.behindSidecar);
  const on = undelivered.length === 0 ? retries.on : [...retries.on, 'retriable-headers'];
  return {
    retryOn: on.join(','),
    numRetries: retries.attempts,
    ...(retries.statusCodes.length === 0 ? {} : { retriableStatusCodes: [...retries.statusCodes] }),
    ...(undelivered.length === 0 ? {} : { retriableHeaders: [...undelivered] }),
    ...(retries.perTryTimeoutMs === undefined ? {} : { perTryTimeout: protoDuration(retries.perTryTimeoutMs) }),
    ...(retries.backoffMs === undefined ? {} : { retryBackOff: { baseInterval: protoDuration(retries.backoffMs) } }),
    ...(previousHosts
      ? {
          retryHostPredicate: [
            {
              name: 'envoy.retry_host_predicates.previous_hosts',
              typedConfig: any('envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate', {}),
            },
          ],
          hostSelectionRetryMaxAttempts: String(MAX_HOST_SELECTIONS),
        }
      : {}),
    ...(retries.remoteLocalities
      ? {
          retryPriority: {
            name: 'envoy.retry_priorities.previous_priorities',
            typedConfig: any('envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig', {
              updateFrequency: PRIORITY_UPDATE_TRIES,
            }),
          },
        }
      : {}),
  };
}
