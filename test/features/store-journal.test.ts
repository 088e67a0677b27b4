/** The journal on a real disk: what it gives back after it was cut, damaged or written anew. */
import { readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../src/runtime/logger.js';
import { openJournal } from '../../src/store/embedded/journal.js';
import type { JournalRecord } from '../../src/store/embedded/journal-records.js';
import { temporaryFolder } from '../support/mesh-process.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let file: string;
beforeEach(async () => {
  folder = await temporaryFolder('journal');
  file = path.join(folder.path, 'journal');
});
afterEach(() => folder.remove());

const revision = (number: number, text: string): JournalRecord => {
  const version = { key: `k\xff${number}`, value: Buffer.from(text), lease: '0', version: 1 };
  const changes = [{ ...version, modRevision: number, createRevision: number }];
  return { type: 'revision', revision: { revision: number, atMs: 1, changes } };
};
/** Each record in a frame of its own. */
async function write(records: readonly JournalRecord[]): Promise<void> {
  const { journal } = await openJournal(file, silentLogger);
  for (const record of records) {
    journal.append(record);
    await journal.durable();
  }
  await journal.close();
}
async function read(): Promise<readonly JournalRecord[]> {
  const { records, journal } = await openJournal(file, silentLogger);
  await journal.close();
  return records;
}

const records: JournalRecord[] = [
  { type: 'store', clusterId: '7', compacted: 0, head: 1 },
  revision(2, 'two'),
  { type: 'grant', lease: '9', ttlSeconds: 10 },
  revision(3, 'x'.repeat(5000)),
  { type: 'compact', revision: 2 },
];

describe('the journal', () => {
  it('gives back what was written, bytes as they were', async () => {
    await write(records);
    expect(await read()).toEqual(records);
  });

  it('shares a frame among those who write at the same time', async () => {
    const { journal } = await openJournal(file, silentLogger);
    for (let i = 2; i < 102; i++) journal.append(revision(i, 'x'));
    await journal.durable();
    expect(journal.durable()).toBeUndefined();
    await journal.close();
    const magic = (await readFile(file)).toString('latin1').split('lmj1').length - 1;
    expect(magic).toBe(1);
    expect(await read()).toHaveLength(100);
  });

  it('cuts off a torn end, whatever of it was written, and goes on from there', async () => {
    await write(records.slice(0, 4));
    const whole = (await stat(file)).size;
    await write(records.slice(4));
    const bytes = await readFile(file);
    for (let length = whole; length < bytes.length; length++) {
      await writeFile(file, bytes.subarray(0, length));
      expect(await read()).toEqual(records.slice(0, 4));
      expect((await stat(file)).size).toBe(whole);
    }
    await write(records.slice(4));
    expect(await read()).toEqual(records);
  });

  it('keeps what it has cut off, and takes zeros at the end for a torn write', async () => {
    await write(records);
    await writeFile(file, Buffer.concat([await readFile(file), Buffer.alloc(4096)]));
    expect(await read()).toEqual(records);
    expect(await readFile(`${file}.cut`)).toEqual(Buffer.alloc(4096));
  });

  it('refuses every flipped bit before the last frame, and never gives back a wrong record', async () => {
    await write(records.slice(0, 3));
    const bytes = await readFile(file);
    const lastFrame = bytes.lastIndexOf('lmj1');
    for (let at = 0; at < bytes.length; at++) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8));
      await writeFile(file, damaged);
      if (at < lastFrame) await expect(read(), `byte ${at}`).rejects.toMatchObject({ code: 'MESH2014' });
      else expect(await read(), `byte ${at}`).toEqual(records.slice(0, 2));
    }
  });

  it('is replaced as a whole when it is written anew, and goes on after it', async () => {
    const { journal } = await openJournal(file, silentLogger);
    for (const record of records) journal.append(record);
    const rewritten = journal.rewrite(() => [revision(3, 'short')]);
    await rewritten;
    journal.append(revision(4, 'after'));
    await journal.durable();
    await journal.close();
    expect(await read()).toEqual([revision(3, 'short'), revision(4, 'after')]);
  });
});
