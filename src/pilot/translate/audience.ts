/** Proxies that see the same mesh. What they are sent for their outgoing traffic is made once for all of them. */
import { MESH } from '../../dsl/gateway-name.js';
import { labelsOf } from '../../model/labels.js';
import type { Locality } from '../../model/locality-lb.js';
import { fullName } from '../../model/names.js';
import { byKey } from '../../model/order.js';
import type { ProxyScope } from './proxy.js';
import { remember, sameContent } from './remember.js';
import type { Caller } from './rules.js';

export interface Audience {
  readonly caller: Caller;
  /** Services that the proxies name, `<ns>/<name>`, sorted. */
  readonly callees: readonly string[];
  /** Where the proxies are: the same object for all of one place. */
  readonly locality: Locality;
}

export const audienceOf: (scope: ProxyScope) => Audience = remember((scope: ProxyScope): Audience => {
  const { namespace, service, cluster, labels, version, locality } = scope;
  const callees = new Set(scope.upstreams.map((upstream) => fullName(upstream.namespace, upstream.service)));
  const caller = {
    namespace,
    service,
    cluster,
    labels: sortedLabels(labelsOf(service, version, labels)),
    gateway: MESH,
  };
  return sameContent({ caller, callees: [...callees].toSorted(), locality });
});

function sortedLabels(labels: Caller['labels']): Caller['labels'] {
  return Object.fromEntries(Object.entries(labels).toSorted(byKey));
}
