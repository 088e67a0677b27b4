/** The mesh as a file: a line that says what it is, then a line per key, under one checksum. Any store can take it. */
import { createHash } from 'node:crypto';
import { readObject } from '../model/stored-value.js';
import { MeshError } from '../runtime/mesh-error.js';
import type { Durable } from './durable.js';

export interface BackupHead {
  readonly format: 'lightmesh-backup';
  readonly version: 1;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly by: string;
  /** The store, for people. */
  readonly from: string;
  /** All of it is from this one. Decimal text. */
  readonly storeRevision: string;
  /** Id of the epoch of that store. */
  readonly epoch: string;
  readonly keys: number;
  /** Of the lines after this one. */
  readonly sha256: string;
}

export interface Backup {
  readonly head: BackupHead;
  readonly durable: Durable;
}

export function encodeBackup(
  durable: Durable,
  about: Pick<BackupHead, 'at' | 'by' | 'from' | 'storeRevision' | 'epoch'>,
): string {
  const body = [...durable].map(([key, value]) => `${JSON.stringify({ key, value })}\n`).join('');
  const head: BackupHead = {
    format: 'lightmesh-backup',
    version: 1,
    ...about,
    keys: durable.size,
    sha256: checksum(body),
  };
  return `${JSON.stringify(head)}\n${body}`;
}

/** `name` is of the file, for MESH2053. */
export function decodeBackup(text: string, name: string): Backup {
  const end = text.indexOf('\n') + 1;
  const read = readObject<BackupHead>(text.slice(0, end), ['format', 'version', 'storeRevision', 'keys', 'sha256']);
  if (end === 0 || !('value' in read) || read.value.format !== 'lightmesh-backup') throw unusable(name, 'it is none');
  const head = read.value;
  if (head.version !== 1) throw unusable(name, `it has version ${String(head.version)}, this lightmesh reads 1`);
  const body = text.slice(end);
  if (checksum(body) !== head.sha256) throw unusable(name, 'it was changed or cut short: its checksum does not match');
  const lines = body.split('\n').slice(0, -1);
  const durable = new Map(lines.map((line) => entryOf(line)));
  return { head, durable };
}

/** The checksum holds, so a line is as it was written. */
function entryOf(line: string): [string, string] {
  const { key, value } = JSON.parse(line) as { key: string; value: string };
  return [key, value];
}

function checksum(body: string): string {
  return createHash('sha256').update(body).digest('hex');
}

function unusable(name: string, why: string): MeshError {
  return new MeshError('MESH2053', `${name} is no backup that can be used: ${why}`, {
    hint: 'Use another copy; `mesh store backup FILE` makes one.',
  });
}
