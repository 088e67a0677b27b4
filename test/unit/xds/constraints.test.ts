import { describe, expect, it } from 'vitest';
import { violation } from '../../../src/xds/constraints.js';

const cluster = 'envoy.config.cluster.v3.Cluster';
const http = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter';
const route = 'envoy.config.route.v3.Route';
const limit = { '@type': 'type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit' };
const good = { match: { prefix: '/' }, route: { cluster: 'a' } };

describe('what Envoy demands', () => {
  it.each([
    [cluster, {}, 'name is missing'],
    [cluster, { name: 'a', connectTimeout: '0s' }, 'connectTimeout must be greater than 0s'],
    [
      cluster,
      { name: 'a', ringHashLbConfig: { minimumRingSize: '9000000' } },
      'ringHashLbConfig.minimumRingSize must be at most 8388608',
    ],
    [cluster, { name: 'a', healthChecks: [{ timeout: '1s' }] }, 'healthChecks[0].interval is missing'],
    [
      route,
      { match: { prefix: '/' } },
      'needs one of route, redirect, directResponse, filterAction, nonForwardingAction',
    ],
    [route, { route: { cluster: 'a' } }, 'match is missing'],
    [route, { ...good, route: { cluster: '' } }, 'route.cluster must not be empty'],
    [
      route,
      { ...good, requestHeadersToAdd: [{ header: { key: 'a\nb', value: '' } }] },
      'requestHeadersToAdd[0].header.key is not fit for a header',
    ],
    [
      route,
      {
        match: good.match,
        route: { cluster: 'a', retryPolicy: { retryBackOff: { baseInterval: '5s', maxInterval: '1s' } } },
      },
      'route.retryPolicy.retryBackOff.maxInterval must be at least baseInterval',
    ],
    [route, { ...good, directResponse: { status: 42 } }, 'directResponse.status must be at least 200'],
    [
      http,
      { name: 'a', typedConfig: { ...limit, tokenBucket: { fillInterval: '1s', maxTokens: 1 } } },
      'typedConfig.statPrefix is missing',
    ],
    [
      http,
      { name: 'a', typedConfig: { ...limit, statPrefix: 'a', tokenBucket: { fillInterval: '1s' } } },
      'typedConfig.tokenBucket.maxTokens is missing',
    ],
  ])('%s %j: %s', (message, form, expected) => {
    expect(violation(message, form, false)).toBe(expected);
  });

  it.each([
    [cluster, { name: 'a', connectTimeout: '0.001s' }],
    [route, good],
    [route, { ...good, requestHeadersToAdd: [{ header: { key: 'x-a', value: '%PROTOCOL% é' } }] }],
    [
      http,
      { name: 'a', typedConfig: { ...limit, statPrefix: 'a', tokenBucket: { fillInterval: '0.05s', maxTokens: 1 } } },
    ],
    [http, { name: 'a', typedConfig: { '@type': 'type.googleapis.com/envoy.nobody.Knows', statPrefix: 5 } }],
  ])('%s %j is right', (message, form) => {
    expect(violation(message, form, false)).toBeUndefined();
  });

  it('is asked of a part as far as it says something', () => {
    expect(violation(cluster, {}, true)).toBeUndefined();
    expect(violation(cluster, { connectTimeout: '0s' }, true)).toBe('connectTimeout must be greater than 0s');
    // What is appended to a list comes whole.
    expect(violation(cluster, { healthChecks: [{}] }, true)).toBe('healthChecks[0].timeout is missing');
  });
});
