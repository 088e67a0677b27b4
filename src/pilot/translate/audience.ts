/** Proxies that see the same mesh. What they are sent for their outgoing traffic is made once for all of them. */
import { MESH } from '../../dsl/gateway-name.js';
import { labelsOf } from '../../model/labels.js';
import { fullName } from '../../model/names.js';
import { byKey } from '../../model/order.js';
import type { ProxyScope } from './proxy.js';
import { remember } from './remember.js';
import type { Caller } from './rules.js';

export interface Audience {
  readonly caller: Caller;
  /** Services that the proxies name, `<ns>/<name>`, sorted. */
  readonly callees: readonly string[];
}

export const audienceOf: (scope: ProxyScope) => Audience = remember((scope: ProxyScope): Audience => {
  const { namespace, service, cluster, labels, version } = scope;
  const callees = new Set(scope.upstreams.map((upstream) => fullName(upstream.namespace, upstream.service)));
  const caller = {
    namespace,
    service,
    cluster,
    labels: sortedLabels(labelsOf(service, version, labels)),
    gateway: MESH,
  };
  return same({ caller, callees: [...callees].toSorted() });
});

function sortedLabels(labels: Caller['labels']): Caller['labels'] {
  return Object.fromEntries(Object.entries(labels).toSorted(byKey));
}

const known = new Map<string, WeakRef<Audience>>();
const gone = new FinalizationRegistry((key: string) => {
  if (known.get(key)?.deref() === undefined) known.delete(key);
});

/** Equal ones are one object, for as long as a proxy is of it. */
function same(audience: Audience): Audience {
  const key = JSON.stringify(audience);
  const earlier = known.get(key)?.deref();
  if (earlier !== undefined) return earlier;
  known.set(key, new WeakRef(audience));
  gone.register(audience, key);
  return audience;
}
