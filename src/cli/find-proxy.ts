import type { ProxyItem } from '../model/api.js';
import { suggestion } from '../model/suggestion.js';
import { MeshError } from '../runtime/mesh-error.js';

/** Those whose id contains the word; all without one. None is an error. */
export function onlyProxies(proxies: readonly ProxyItem[], wanted: string | undefined): readonly ProxyItem[] {
  if (wanted === undefined) return proxies;
  const found = proxies.filter(({ proxy }) => proxy.includes(wanted));
  if (found.length > 0) return found;
  throw new MeshError('MESH2005', `no connected proxy has "${wanted}" in its id`, {
    hint: suggestion(
      wanted,
      proxies.map(({ proxy }) => proxy),
    ),
  });
}

/** The one that an id or a part of it means. */
export function oneProxy(proxies: readonly ProxyItem[], wanted: string): ProxyItem {
  const exact = proxies.find(({ proxy }) => proxy === wanted);
  if (exact !== undefined) return exact;
  const [found, ...others] = onlyProxies(proxies, wanted);
  if (found !== undefined && others.length === 0) return found;
  throw new MeshError('MESH2007', `"${wanted}" is a part of ${others.length + 1} ids`, {
    hint: `say more of it: ${[found, ...others].map((item) => item?.proxy).join(', ')}`,
  });
}
