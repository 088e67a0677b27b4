/** Keeps on disk what each sidecar of the node has taken over from the pilots: looked at whenever it has taken over anything. */
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from '../runtime/clock.js';
import { messageOf } from '../runtime/mesh-error.js';
import { readDump } from './last-good.js';
import { writeLastGood } from './last-good-files.js';
import { adminSocketIn, SHARED_FOLDER } from './node-files.js';
import { configDump, updateMark } from './sidecar-admin.js';

/** While changes go on, what is kept may be this much older than what the sidecar has. */
const MIN_KEEP_INTERVAL_MS = 5000;

export interface Keeping {
  /** Of the node. */
  readonly folder: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** It is served from what is kept, so it has nothing to tell. */
  readonly isServed: (instance: string) => boolean;
  /** Why it could not be kept; undefined when it was. */
  readonly tell: (instance: string, problem: string | undefined) => void;
}

export async function instancesIn(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory() && entry.name !== SHARED_FOLDER).map(({ name }) => name);
}

/** What was seen of a sidecar when its configuration was looked at last. */
interface Seen {
  readonly mark: string;
  readonly atMs: number;
}

export interface Keeper {
  /** Asks each sidecar, and keeps what is new. */
  round(): Promise<void>;
}

export function openKeeper(keeping: Keeping): Keeper {
  const seen = new Map<string, Seen>();
  return {
    async round() {
      const instances = await instancesIn(keeping.folder);
      for (const gone of [...seen.keys()].filter((name) => !instances.includes(name))) {
        seen.delete(gone);
        keeping.tell(gone, undefined);
      }
      await Promise.all(
        instances.map(async (instance) => {
          const now = await look(keeping, instance, seen.get(instance));
          if (now !== undefined) seen.set(instance, now);
        }),
      );
    },
  };
}

/** Undefined: there was nothing new to look at, or not at this moment. */
async function look(keeping: Keeping, instance: string, before: Seen | undefined): Promise<Seen | undefined> {
  const { folder, clock, signal, isServed, tell } = keeping;
  const atMs = clock.monotonic();
  if (before !== undefined && atMs - before.atMs < MIN_KEEP_INTERVAL_MS) return undefined;
  if (isServed(instance)) return undefined;
  const socket = adminSocketIn(path.join(folder, instance));
  const mark = await updateMark(socket, signal).catch(() => undefined); // it does not run
  if (mark === undefined || mark === before?.mark) return undefined;
  try {
    const dump = {
      dynamic_active_clusters: await configDump(socket, 'dynamic_active_clusters', signal),
      dynamic_endpoint_configs: await configDump(socket, 'dynamic_endpoint_configs', signal),
      dynamic_listeners: await configDump(socket, 'dynamic_listeners', signal),
      dynamic_route_configs: await configDump(socket, 'dynamic_route_configs', signal),
    };
    // It took over something in between: the parts do not belong together.
    if ((await updateMark(socket, signal)) !== mark) return undefined;
    const reading = readDump(dump);
    if (reading.kind === 'nothing') return undefined;
    if (reading.kind === 'partial') {
      tell(instance, `the last good configuration of ${instance} is not renewed: ${reading.reason}`);
      return { mark: '', atMs };
    }
    await writeLastGood(path.join(folder, instance), reading.resources);
    tell(instance, undefined);
    return { mark, atMs };
  } catch (error) {
    if (signal.aborted || (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined; // the instance is gone
    tell(instance, `the last good configuration of ${instance} could not be kept: ${messageOf(error)}`);
    return { mark: '', atMs };
  }
}
