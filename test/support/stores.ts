/** The two stores that the contract suite holds to the same promises. */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { Etcd3 } from 'etcd3';
import { systemClock } from '../../src/runtime/clock.js';
import { silentLogger } from '../../src/runtime/logger.js';
import { type EmbeddedServer, startEmbedded } from '../../src/store/embedded/embedded.js';
import { openStore } from '../../src/store/open-store.js';
import type { Store } from '../../src/store/store.js';
import { hasEtcd, startEtcd } from './etcd.js';
import { temporaryFolder } from './mesh-process.js';

export interface StoreServer {
  readonly address: string;
  restart(options?: { readonly wiped?: boolean }): Promise<void>;
  stop(): Promise<void>;
}

export async function startEtcdServer(): Promise<StoreServer> {
  return startEtcd();
}

export async function startEmbeddedServer(): Promise<StoreServer> {
  const folder = await temporaryFolder('embedded');
  const dir = path.join(folder.path, 'data');
  const start = (listen?: string): Promise<EmbeddedServer> =>
    startEmbedded({ dir, clock: systemClock, log: silentLogger, ...(listen ? { listen } : {}) });
  let server = await start();
  const { address } = server;
  return {
    address,
    async restart({ wiped = false } = {}) {
      await server.close();
      if (wiped) await rm(dir, { recursive: true });
      server = await start(address);
    },
    async stop() {
      await server.close();
      await folder.remove();
    },
  };
}

/** Both, for `describe.each`; the real one where it is installed. */
export function storeServers(): readonly { readonly name: string; readonly start: () => Promise<StoreServer> }[] {
  const embedded = { name: 'the embedded server', start: startEmbeddedServer };
  return hasEtcd() ? [embedded, { name: 'etcd', start: startEtcdServer }] : [embedded];
}

export function openAt(address: string, prefix: string, timeoutMs = 5000): Promise<Store> {
  return openStore(`etcd://${address}`, { clock: systemClock, log: silentLogger, timeoutMs, prefix });
}

/** What an operator, or an accident, does behind our back. */
export interface Operator {
  compact(storeRevision: bigint): Promise<void>;
  revoke(leaseId: string): Promise<void>;
  leases(): Promise<string[]>;
  close(): void;
}

export function operatorAt(address: string): Operator {
  const client = new Etcd3({ hosts: [`http://${address}`] });
  return {
    async compact(storeRevision) {
      await client.kv.compact({ revision: String(storeRevision), physical: true });
    },
    async revoke(leaseId) {
      await client.leaseClient.leaseRevoke({ ID: leaseId });
    },
    async leases() {
      const { leases } = await client.leaseClient.leaseLeases();
      return leases.map(({ ID }) => ID);
    },
    close: () => client.close(),
  };
}
