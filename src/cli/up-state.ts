/** What `mesh up` leaves in its data directory for `mesh down` and for the parent of a detached run. */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { startTimeOf } from '../runtime/process-identity.js';
import type { Io } from './io.js';

const stateSchema = z.object({
  pid: z.int().positive(),
  startTime: z.string(),
  /** Addresses that were bound; empty until they are. */
  http: z.string(),
  xds: z.string(),
  /** For people, and as other processes may use it. */
  store: z.string(),
  storeUrl: z.string(),
  /** Nodes that this machine has run, also those of earlier runs: their containers may still be there. */
  nodes: z.array(z.string()),
  ready: z.boolean(),
  /** What it did, and what it could not do, a line each. */
  steps: z.array(z.object({ text: z.string(), ok: z.boolean() })),
});
export type UpState = z.output<typeof stateSchema>;
export type UpStep = UpState['steps'][number];

const FILE = 'up.json';

export function dataDirOf(given: string | undefined, io: Pick<Io, 'env' | 'cwd'>): string {
  if (given !== undefined) return resolve(io.cwd, given);
  return join(io.env['XDG_STATE_HOME'] || join(io.env['HOME'] ?? homedir(), '.local', 'state'), 'lightmesh');
}

export async function readUpState(dataDir: string): Promise<UpState | undefined> {
  const text = await readFile(join(dataDir, FILE), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return stateSchema.parse(JSON.parse(text));
  } catch {
    return undefined; // of another version, or cut off: nothing in it can be relied on
  }
}

export async function writeUpState(dataDir: string, state: UpState): Promise<void> {
  const path = join(dataDir, FILE);
  await writeFile(`${path}.new`, `${JSON.stringify(state, null, 2)}\n`);
  await rename(`${path}.new`, path);
}

export async function isRunning(state: UpState | undefined): Promise<boolean> {
  return state !== undefined && (await startTimeOf(state.pid)) === state.startTime;
}
