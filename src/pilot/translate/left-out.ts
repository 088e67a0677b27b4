/** Rules of a host that one caller never meets, and why: they are left out when its routes are made. */
import type { MeshSnapshot } from '../../model/mesh-snapshot.js';
import { audienceOf } from './audience.js';
import { findHost, indexOf } from './mesh-index.js';
import type { CallerCondition } from './policy.js';
import type { ProxyScope } from './proxy.js';
import { routeName } from './routes.js';
import { effectiveRules, isCaller } from './rules.js';

export interface LeftOut {
  /** As the routes are named. */
  readonly rule: string;
  readonly why: string;
}

/** `host` is a full name in lower case. */
export function leftOut(snapshot: MeshSnapshot, scope: ProxyScope, host: string): readonly LeftOut[] {
  const { caller } = audienceOf(scope);
  const entry = findHost(indexOf(snapshot.definitions), host, caller.namespace);
  if (entry === undefined) return [];
  return effectiveRules(snapshot, entry, caller).flatMap((rule) =>
    rule.matches.flatMap((match, i) => {
      if (match.caller === undefined || isCaller(match.caller, caller)) return [];
      const name = routeName(rule, rule.matches.length > 1 ? match.name || String(i) : match.name);
      return [{ rule: name, why: `it is for callers ${conditionWords(match.caller)}` }];
    }),
  );
}

function conditionWords({ services, clusters, labels, namespace }: CallerCondition): string {
  return [
    ...(services === undefined ? [] : [services.join(' or ')]),
    ...(clusters === undefined ? [] : [`in cluster ${clusters.join(' or ')}`]),
    ...Object.entries(labels ?? {}).map(([key, value]) => `with the label ${key}=${value}`),
    ...(namespace === undefined ? [] : [`in namespace ${namespace}`]),
  ].join(', ');
}
