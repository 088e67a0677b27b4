/** What an operator asks of the store itself, member by member. */
import { shortReason } from './advice.js';
import type { Connection, Deadline, Endpoint } from './connection.js';
import { faultOf } from './fault.js';
import { openWatch } from './watch-stream.js';

export interface Member {
  /** As it is in the store URL. */
  readonly address: string;
  /** Why it does not answer; then nothing else is known. */
  readonly failure: string | undefined;
  readonly version: string;
  readonly isLeader: boolean;
  readonly storeRevision: bigint;
  /** On its disk, and how much of that is in use. */
  readonly bytes: number;
  readonly bytesInUse: number;
}

export interface StoreAdmin {
  members(): Promise<readonly Member[]>;
  /** `NOSPACE`, by the ids of the members that raised it. */
  alarms(): Promise<readonly { readonly alarm: string; readonly member: string }[]>;
  disarm(): Promise<void>;
  /** Nothing before this revision can be read any more; 0n when the whole history is there. */
  compactedRevision(): Promise<bigint>;
  compact(storeRevision: bigint): Promise<void>;
  /** Gives the disk what compaction has freed; that member answers nobody meanwhile. */
  defragment(address: string): Promise<void>;
}

const STATUS_LIMIT_MS = 2000;
const DEFRAGMENT_LIMIT_MS = 60_000;

export function adminOver(connection: Connection): StoreAdmin {
  return {
    members: () => Promise.all(connection.endpoints.map(memberOf)),
    async alarms() {
      const request = { action: 'Get', memberID: '0', alarm: 'None' } as const;
      const { alarms } = await connection.call('read the alarms', (client, options) =>
        client.maintenance.alarm(request, options),
      );
      return alarms.map(({ alarm, memberID }) => ({ alarm: String(alarm).toUpperCase(), member: memberID }));
    },
    async disarm() {
      for (const { member } of await this.alarms()) {
        const request = { action: 'Deactivate', memberID: member, alarm: 'Nospace' } as const;
        await connection.call('disarm NOSPACE', (client, options) => client.maintenance.alarm(request, options));
      }
    },
    compactedRevision: () => compactedRevision(connection),
    async compact(storeRevision) {
      const request = { revision: String(storeRevision), physical: true };
      await connection.call(`compact up to ${storeRevision}`, (client, options) => client.kv.compact(request, options));
    },
    async defragment(address) {
      const endpoint = connection.endpoints.find((one) => one.address === address);
      await endpoint?.client.maintenance.defragment(within(DEFRAGMENT_LIMIT_MS));
    },
  };
}

async function memberOf({ address, client }: Endpoint): Promise<Member> {
  try {
    const status = await client.maintenance.status(within(STATUS_LIMIT_MS));
    return {
      address,
      failure: undefined,
      version: status.version,
      isLeader: status.leader === status.header.member_id,
      storeRevision: BigInt(status.header.revision),
      bytes: Number(status.dbSize),
      bytesInUse: Number(status.dbSizeInUse),
    };
  } catch (error) {
    const failure = shortReason(error);
    return { address, failure, version: '', isLeader: false, storeRevision: 0n, bytes: 0, bytesInUse: 0 };
  }
}

/** Only a watch from the very beginning is told where the history begins now. */
async function compactedRevision(connection: Connection): Promise<bigint> {
  const key = Buffer.of(0);
  const first = { key, revision: '1' };
  try {
    await connection.call('read the first revision', (client, options) => client.kv.range(first, options));
    return 0n;
  } catch (error) {
    if (faultOf((error as Error).cause) !== 'compacted') throw error;
  }
  return new Promise((resolve, reject) => {
    const close = openWatch(connection.current().client, { start: key, end: Buffer.of(0, 0) }, 1n, {
      created: () => {},
      events: () => {},
      cancelled: (reason) => done(BigInt(/^compacted up to (\d+)$/.exec(reason)?.[1] ?? '0')),
      broken: reject,
    });
    const limit = setTimeout(() => done(0n), STATUS_LIMIT_MS);
    const done = (revision: bigint): void => {
      clearTimeout(limit);
      close();
      resolve(revision);
    };
  });
}

function within(ms: number): Deadline {
  return { deadline: Date.now() + ms };
}
