/** How a rule names the gateways that it holds for. */
import { z } from 'zod';

/** All sidecars of the mesh, as if they were one gateway. */
export const MESH = 'mesh';

const LABEL = '[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?';
const NAME = new RegExp(`^(${LABEL}/)?${LABEL}(\\.${LABEL})*$`);

export const gatewayNameField = z
  .string()
  .regex(NAME, 'a gateway is NAME (in the same namespace) or NAMESPACE/NAME, or "mesh" for all sidecars');

/** `<ns>/<name>` of a Gateway, or `mesh`. Istio's older form `name.namespace[.svc…]` means the same. */
export function gatewayKey(name: string, namespace: string): string {
  if (name === MESH || name.includes('/')) return name;
  const [gateway, owner = namespace] = name.split('.');
  return `${owner}/${gateway}`;
}

/** Does a rule that names these hold at the gateway, or for the sidecars? Without any it is for the sidecars. */
export function holdsAt(names: readonly string[] = [MESH], namespace: string, key: string): boolean {
  return names.some((name) => gatewayKey(name, namespace) === key);
}
