/**
 * The last good configuration of one instance on disk, in two generations: the whole of one or the whole of the other, or
 * nothing. A header tells length and checksum, so that a file that was cut off or damaged is never served.
 */
import { createHash } from 'node:crypto';
import { open, rename } from 'node:fs/promises';
import path from 'node:path';
import { canonicalJson } from '../model/canonical-json.js';
import { messageOf } from '../runtime/mesh-error.js';
import { readText } from './files.js';
import type { KeptResource } from './last-good.js';

const CURRENT = 'last-good.jsonl';
const PREVIOUS = 'last-good.previous.jsonl';
const HEADER = /^lightmesh-last-good 1 (\d+) ([0-9a-f]{64})$/;
const MODE = 0o600;

export interface Found {
  /** Undefined when there is none that can be read. */
  readonly resources: readonly KeptResource[] | undefined;
  /** What is wrong with generations that are newer than this one. */
  readonly damage: readonly string[];
}

export async function readLastGood(folder: string): Promise<Found> {
  const damage: string[] = [];
  for (const name of [CURRENT, PREVIOUS]) {
    const text = await readText(path.join(folder, name));
    if (text === undefined) continue;
    try {
      return { resources: parse(text), damage };
    } catch (error) {
      damage.push(`${name}: ${messageOf(error)}`);
    }
  }
  return { resources: undefined, damage };
}

/** False when that is what is there already. A damaged current one is replaced, and does not take the place of the good one before. */
export async function writeLastGood(folder: string, resources: readonly KeptResource[]): Promise<boolean> {
  const text = format(resources);
  const file = path.join(folder, CURRENT);
  const before = await readText(file);
  if (before === text) return false;
  const draft = `${file}.new`;
  await writeSynced(draft, text);
  if (before !== undefined && isWhole(before)) await rename(file, path.join(folder, PREVIOUS));
  await rename(draft, file);
  await syncFolder(folder);
  return true;
}

export function format(resources: readonly KeptResource[]): string {
  const body = resources.map((resource) => `${canonicalJson(resource)}\n`).join('');
  return `lightmesh-last-good 1 ${Buffer.byteLength(body)} ${checksum(body)}\n${body}`;
}

/** Throws with what is wrong. */
export function parse(text: string): readonly KeptResource[] {
  const end = text.indexOf('\n');
  const [, length, sha256] = HEADER.exec(text.slice(0, Math.max(end, 0))) ?? [];
  if (length === undefined) throw new Error('it does not begin as such a file does');
  const body = text.slice(end + 1);
  const bytes = Buffer.byteLength(body);
  if (bytes !== Number(length)) throw new Error(`it has ${bytes} bytes and should have ${length}`);
  if (checksum(body) !== sha256) throw new Error('its checksum is wrong');
  // Written by `format`, whole: the checksum says so.
  return body.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as KeptResource]));
}

function isWhole(text: string): boolean {
  try {
    parse(text);
    return true;
  } catch {
    return false; // readLastGood says why, when it is needed
  }
}

function checksum(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Does not make the folder: when that has gone, the instance has, and nothing of it may come back. */
async function writeSynced(file: string, text: string): Promise<void> {
  const handle = await open(file, 'w', MODE);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The names too must survive a machine that loses power. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
