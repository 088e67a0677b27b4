/** The application's own way to etcd: not a whole store, so it neither introduces itself nor brings an embedded server along. */
import { systemClock } from '../runtime/clock.js';
import type { Logger } from '../runtime/logger.js';
import { MeshError } from '../runtime/mesh-error.js';
import { connect, type TlsOptions } from '../store/connection.js';
import { keysUnder } from '../store/keys.js';
import { openMirror } from '../store/mirror.js';
import { openRegistrar } from '../store/registrar.js';
import type { Store } from '../store/store.js';
import { parseStoreUrl } from '../store/store-url.js';

export interface EtcdOptions {
  /** `host:port[,host:port…]` or a store URL: what the mesh gives its applications as `MESH_ETCD`. */
  readonly etcd: string | undefined;
  /** Contents of the files, for `etcds://…`. Without: the system's certificate authorities. */
  readonly tls?: TlsOptions;
}

export interface Etcd extends Pick<Store, 'description' | 'keys' | 'mirror' | 'registrar'> {
  /** After the mirrors and registrars that were opened on it. */
  close(): void;
}

const CALL_TIMEOUT_MS = 10_000;

export function openEtcd({ etcd, tls }: EtcdOptions): Etcd {
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
    tls: url.tls && (tls ?? true),
    clock: systemClock,
    timeoutMs: CALL_TIMEOUT_MS,
  });
  const keys = keysUnder(url.prefix);
  const context = { connection, clock: systemClock, log: quiet, epochKey: keys.metaEpoch };
  return {
    description: `etcd ${url.addresses.join(',')}`,
    keys,
    mirror: (options) => openMirror(context, options),
    registrar: (options) => openRegistrar(context, options),
    close: () => connection.close(),
  };
}

/** A library does not write to its application's log. */
const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {} };
