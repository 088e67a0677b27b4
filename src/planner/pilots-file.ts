import { digestOf } from './digest.js';

/**
 * Text of the file from which every sidecar of a node learns where the pilots are: an EDS response in JSON. Takes `IP:port`
 * (`[v6]:port`): EDS knows no host names, whoever has one resolves it first. Write it beside and rename it into place.
 */
export function pilotsFile(addresses: readonly string[]): string {
  const sorted = [...new Set(addresses)].toSorted();
  const assignment = {
    '@type': 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment',
    cluster_name: 'pilots',
    endpoints: [{ lb_endpoints: sorted.map((address) => ({ endpoint: { address: socketAddress(address) } })) }],
  };
  return `${JSON.stringify({ version_info: digestOf(sorted), resources: [assignment] }, null, 2)}\n`;
}

/** The addresses in such a file, sorted; none when it is not one. */
export function pilotsIn(text: string): readonly { readonly host: string; readonly port: number }[] {
  // Every address in it is that of a pilot, wherever it stands.
  const found: { host: string; port: number }[] = [];
  try {
    JSON.parse(text, (_key, value: { address?: unknown; port_value?: unknown } | null) => {
      if (typeof value?.address === 'string' && typeof value.port_value === 'number')
        found.push({ host: value.address, port: value.port_value });
      return value;
    });
  } catch {
    return []; // damaged: as good as none
  }
  return found;
}

function socketAddress(text: string): object {
  const [, v6, v4, port] = /^(?:\[([0-9a-fA-F:]+)\]|(\d+\.\d+\.\d+\.\d+)):(\d{1,5})$/.exec(text) ?? [];
  if (port === undefined) throw new Error(`a pilot's address is IP:port, found ${JSON.stringify(text)}`);
  return { socket_address: { address: v6 ?? v4, port_value: Number(port) } };
}
