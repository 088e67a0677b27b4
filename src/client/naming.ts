/** `lightmesh/client/naming`: etcd's address in, live addresses of a service out. */
import { systemClock } from '../runtime/clock.js';
import type { Logger } from '../runtime/logger.js';
import { MeshError } from '../runtime/mesh-error.js';
import { connect } from '../store/connection.js';
import { keysUnder } from '../store/keys.js';
import { openMirror } from '../store/mirror.js';
import { parseStoreUrl } from '../store/store-url.js';
import { createNamingResolver, type Naming, type NamingSource } from './naming-resolver.js';

export { createNamingResolver, type Naming, type NamingOptions, type NamingSource } from './naming-resolver.js';

export interface OpenNamingOptions {
  /** `host:port[,host:port…]` or `etcd://…`: what the mesh gives the application as `MESH_ETCD`. */
  readonly etcd: string | undefined;
  /** What stands after `etcd:///` in the address, for instance `services/reviews`. */
  readonly path: string;
}

const CALL_TIMEOUT_MS = 10_000;

/** Waits for etcd until the signal aborts. Closing the result closes its connection too. */
export async function openNaming(options: OpenNamingOptions, signal?: AbortSignal): Promise<Naming> {
  const source = readOnly(options.etcd);
  try {
    const naming = await createNamingResolver({ store: source, path: options.path }, signal);
    const close = async (): Promise<void> => {
      await naming.close();
      source.close();
    };
    return { ...naming, close };
  } catch (error) {
    source.close();
    throw error;
  }
}

/** Not a whole store: an application only reads, so it neither introduces itself nor brings an embedded server along. */
function readOnly(etcd: string | undefined): NamingSource & { close(): void } {
  if (etcd === undefined || etcd === '') {
    throw new MeshError('MESH2007', 'no address of etcd is given', { hint: 'The mesh sets MESH_ETCD for its apps.' });
  }
  const url = parseStoreUrl(etcd.includes('://') ? etcd : `etcd://${etcd}`);
  if (url.kind !== 'etcd') {
    throw new MeshError('MESH2007', `${etcd} is a directory, not an address`, {
      hint: 'An embedded store writes its address to the file `address` in there.',
    });
  }
  const connection = connect({
    addresses: url.addresses,
    tls: url.tls,
    clock: systemClock,
    timeoutMs: CALL_TIMEOUT_MS,
  });
  const context = { connection, clock: systemClock, log: quiet, epochKey: keysUnder(url.prefix).metaEpoch };
  return {
    description: `etcd ${url.addresses.join(',')}`,
    mirror: (mirrorOptions) => openMirror(context, mirrorOptions),
    close: () => connection.close(),
  };
}

/** A library does not write to its application's log. */
const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {} };
