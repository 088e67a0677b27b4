/** Three real etcd members on loopback, to be killed, paused, restarted and wiped one by one or together. */
import type { ChildProcess } from 'node:child_process';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { Etcd3 } from 'etcd3';
import { endMember, type MemberOptions, startMember } from './etcd.js';
import { freePort, temporaryFolder } from './mesh-process.js';
import { until } from './until.js';

export interface ClusterMember {
  /** `host:port` */
  readonly address: string;
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<void>;
  /** SIGSTOP: keeps its connections and says nothing. */
  pause(): void;
  resume(): void;
  /** Starts it again on its data, after ending it if it runs. Resolves when it takes connections. */
  restart(): Promise<void>;
}

export interface EtcdCluster {
  /** `etcd://host:port,host:port,host:port` */
  readonly url: string;
  readonly addresses: readonly string[];
  readonly members: readonly ClusterMember[];
  /** The member that leads; waits for one, and asks only members that answer. */
  leader(): Promise<ClusterMember>;
  kill(): Promise<void>;
  pause(): void;
  resume(): void;
  /** All at once, since none takes connections before there is a quorum; with empty data when `wiped`. */
  restart(options?: { readonly wiped?: boolean }): Promise<void>;
  /** Ends all members and removes their data. */
  stop(): Promise<void>;
}

const MEMBERS = 3;
const STATUS_WITHIN_MS = 500;

export async function startEtcdCluster(): Promise<EtcdCluster> {
  const folder = await temporaryFolder('etcd-cluster');
  const all: MemberOptions[] = [];
  for (let i = 0; i < MEMBERS; i++) {
    const name = `m${i}`;
    all.push({ name, dataDir: path.join(folder.path, name), client: await freePort(), peer: await freePort() });
  }
  const members = all.map((options) => memberOf(options, all));
  await Promise.all(members.map((member) => member.restart()));
  const addresses = members.map(({ address }) => address);
  const kill = async (): Promise<void> => void (await Promise.all(members.map((member) => member.kill())));
  return {
    url: `etcd://${addresses.join(',')}`,
    addresses,
    members,
    leader: () => until('one of the members leads', () => leaderOf(members), 20_000),
    kill,
    pause: () => members.forEach((member) => member.pause()),
    resume: () => members.forEach((member) => member.resume()),
    async restart({ wiped = false } = {}) {
      await kill();
      if (wiped) await Promise.all(all.map(({ dataDir }) => rm(dataDir, { recursive: true, force: true })));
      await Promise.all(members.map((member) => member.restart()));
    },
    async stop() {
      await kill();
      await folder.remove();
    },
  };
}

function memberOf(options: MemberOptions, cluster: readonly MemberOptions[]): ClusterMember {
  let running: ChildProcess | undefined;
  const kill = async (): Promise<void> => {
    if (running) await endMember(running, 'SIGKILL');
  };
  return {
    address: `127.0.0.1:${options.client}`,
    kill,
    pause: () => void running?.kill('SIGSTOP'),
    resume: () => void running?.kill('SIGCONT'),
    async restart() {
      await kill();
      running = await startMember(options, cluster);
    },
  };
}

async function leaderOf(members: readonly ClusterMember[]): Promise<ClusterMember | undefined> {
  for (const member of members) {
    const client = new Etcd3({ hosts: [`http://${member.address}`] });
    try {
      const options = { deadline: Date.now() + STATUS_WITHIN_MS };
      const { header, leader } = await client.maintenance.status(options);
      if (leader !== '0' && leader === header.member_id) return member;
    } catch {
      // It is down or paused: another one leads.
    } finally {
      client.close();
    }
  }
  return undefined;
}
