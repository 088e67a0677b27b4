/** What a change of the definitions would change in the Envoys that run; equal changes of many of them are told once. Pure. */
import type { ProxyChangeGroup, ResourceChange } from '../model/api.js';
import { canonicalJson } from '../model/canonical-json.js';
import type { MeshSnapshot } from '../model/mesh-snapshot.js';
import { byText } from '../model/order.js';
import { scopeOfInstance } from './caller-view.js';
import { type TranslatedResources, translate } from './translate/index.js';

/** Of every instance that a plan has. Those that change nothing are in no group. */
export function proxyChanges(before: MeshSnapshot, after: MeshSnapshot): readonly ProxyChangeGroup[] {
  const groups = new Map<string, { proxies: string[]; changes: readonly ResourceChange[] }>();
  const plans = [...before.plans.values()].toSorted(byText(({ node }) => node));
  for (const scope of plans.flatMap((plan) => plan.instances.map((instance) => scopeOfInstance(plan, instance)))) {
    const changes = resourceChanges(translate(before, scope), translate(after, scope));
    if (changes.length === 0) continue;
    const key = canonicalJson(changes);
    const group = groups.get(key) ?? { proxies: [], changes };
    group.proxies.push(scope.id);
    groups.set(key, group);
  }
  return [...groups.values()];
}

const types = ['listeners', 'routes', 'clusters', 'endpoints'] as const;

function resourceChanges(before: TranslatedResources, after: TranslatedResources): readonly ResourceChange[] {
  return types.flatMap((type) => {
    const [old, now] = [before[type], after[type]] as const;
    // Whatever did not change is the same object: most of it is never looked into.
    if (old === now) return [];
    const names = [...new Set([...old.keys(), ...now.keys()])].toSorted();
    return names.flatMap((name): readonly ResourceChange[] => {
      const [was, is] = [old.get(name), now.get(name)] as const;
      if (was === is || (was !== undefined && is !== undefined && canonicalJson(was) === canonicalJson(is))) return [];
      const action = was === undefined ? 'added' : is === undefined ? 'removed' : 'changed';
      return [{ type, name, action, ...(was && { before: was }), ...(is && { after: is }) }];
    });
  });
}
