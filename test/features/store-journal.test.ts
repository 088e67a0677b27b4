/** The journal: what it gives back after it was cut, damaged or written anew, on a real disk and on one that loses power. */
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../src/runtime/logger.js';
import { type Journal, openJournal } from '../../src/store/embedded/journal.js';
import type { JournalRecord } from '../../src/store/embedded/journal-records.js';
import { temporaryFolder } from '../support/mesh-process.js';
import { diskOf, PowerCut, powerDisk } from '../support/power-disk.js';
import { until } from '../support/until.js';

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

  it('cuts off a write that was never finished, whatever of it is there, and goes on from there', async () => {
    await write(records.slice(0, 4));
    const mark = await readFile(`${file}.synced`);
    const whole = (await stat(file)).size;
    await write(records.slice(4));
    const bytes = await readFile(file);
    for (let length = whole; length < bytes.length; length++) {
      const disk = diskOf({ journal: bytes.subarray(0, length), 'journal.synced': mark });
      const opened = await openJournal('journal', silentLogger, { disk });
      expect(opened.records).toEqual(records.slice(0, 4));
      expect(disk.bytesOf('journal')).toHaveLength(whole);
    }
    await writeFile(`${file}.synced`, mark);
    await writeFile(file, bytes.subarray(0, -1));
    expect(await read()).toEqual(records.slice(0, 4));
    expect((await stat(file)).size).toBe(whole);
    await write(records.slice(4));
    expect(await read()).toEqual(records);
  });

  it('refuses a journal that is shorter than what was safe, or is gone, and leaves it as it is', async () => {
    await write(records);
    const bytes = await readFile(file);
    const mark = await readFile(`${file}.synced`);
    for (let length = 0; length < bytes.length; length++) {
      const disk = diskOf({ journal: bytes.subarray(0, length), 'journal.synced': mark });
      const opened = openJournal('journal', silentLogger, { disk });
      await expect(opened, `cut at ${length}`).rejects.toMatchObject({ code: 'MESH2014' });
      expect(disk.steps).toBe(0);
    }
    await rm(file);
    await expect(read()).rejects.toMatchObject({ code: 'MESH2014' });
  });

  it('keeps what it has cut off, and takes zeros at the end for a torn write', async () => {
    await write(records);
    await writeFile(file, Buffer.concat([await readFile(file), Buffer.alloc(4096)]));
    expect(await read()).toEqual(records);
    expect(await readFile(`${file}.cut`)).toEqual(Buffer.alloc(4096));
  });

  it('refuses every flipped bit, also in the last frame and also when nobody wrote down what was safe', async () => {
    await write(records.slice(0, 3));
    const bytes = await readFile(file);
    for (let at = 0; at < bytes.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const damaged = Buffer.from(bytes);
        damaged[at] = (damaged[at] ?? 0) ^ (1 << bit);
        const opened = openJournal('journal', silentLogger, { disk: diskOf({ journal: damaged }) });
        await expect(opened, `byte ${at}, bit ${bit}`).rejects.toMatchObject({ code: 'MESH2014' });
      }
    }
    expect(await read()).toEqual(records.slice(0, 3));
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

describe('on a disk that fails', () => {
  const at = 'dir/journal';
  /** Park and Miller: the same draws for the same seed. */
  const chanceOf = (seed: number) => (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;

  /** Ten revisions, marked and written anew on the way. Tells which of them were acknowledged. */
  async function workload(disk: ReturnType<typeof powerDisk>, acknowledged: number[]): Promise<void> {
    const { journal } = await openJournal(at, silentLogger, { disk });
    for (let number = 1; number <= 10; number++) {
      journal.append(revision(number, `${number}`.repeat(700)));
      if (number % 4 === 0)
        await journal.rewrite(() => Array.from({ length: number }, (_, i) => revision(i + 1, 'new')));
      await journal.durable();
      acknowledged.push(number);
      if (number % 3 === 0) await journal.mark();
    }
    await journal.close();
  }
  async function numbersIn(disk: ReturnType<typeof powerDisk>): Promise<number[]> {
    const opened = await openJournal(at, silentLogger, { disk });
    await opened.journal.close();
    return opened.records.map((record) => (record.type === 'revision' ? record.revision.revision : -1));
  }

  it('has every acknowledged record after the power was cut, before whichever step, and at most one more', async () => {
    const whole = powerDisk();
    await workload(whole, []);
    for (let step = 0; step < whole.steps; step++) {
      for (let seed = 1; seed <= 8; seed++) {
        const disk = powerDisk(step);
        const acknowledged: number[] = [];
        const failure: unknown = await workload(disk, acknowledged).catch((error: unknown) => error);
        const cause = (failure as Error | undefined)?.cause ?? failure;
        expect(cause === undefined || cause instanceof PowerCut, String(failure)).toBe(true);
        const found = await numbersIn(disk.afterPowerCut(chanceOf(step * 100 + seed)));
        expect(found.slice(0, acknowledged.length), `step ${step}, seed ${seed}`).toEqual(acknowledged);
        expect(found.length - acknowledged.length).toBeLessThanOrEqual(1);
      }
    }
  });

  const failing = (code: string) => (): never => {
    throw Object.assign(new Error(`${code}: write`), { code });
  };

  it('waits on a full disk without acknowledging anything, and goes on when there is room', async () => {
    let fault: () => void = () => {};
    const disk = powerDisk(undefined, (step, path) => {
      if (step === 'append' && path === at) fault();
    });
    const { journal } = await openJournal(at, silentLogger, { disk, fullRetryMs: 1 });
    journal.append(revision(1, 'one'));
    await journal.durable();
    fault = failing('ENOSPC');
    let isSafe = false;
    journal.append(revision(2, 'two'));
    const waiting = (journal.durable() as Promise<void>).then(() => (isSafe = true));
    await until('it knows that the disk is full', () => journal.isFull);
    expect(isSafe).toBe(false);
    fault = () => {};
    await waiting;
    expect(journal.isFull).toBe(false);
    await journal.close();
    expect(await numbersIn(disk)).toEqual([1, 2]);
  });

  it('goes on with the file that it has when there is no room to write it anew', async () => {
    const disk = powerDisk(undefined, (step, path) => {
      if (step === 'append' && path === `${at}.new`) failing('ENOSPC')();
    });
    const { journal } = await openJournal(at, silentLogger, { disk });
    journal.append(revision(1, 'one'));
    await expect(journal.rewrite(() => [])).rejects.toMatchObject({ code: 'MESH2006' });
    journal.append(revision(2, 'two'));
    await journal.durable();
    await journal.close();
    expect(await numbersIn(disk)).toEqual([1, 2]);
  });

  it('ends for good when a write or an fsync fails: what it says afterwards could not be relied on', async () => {
    for (const failingStep of ['append', 'sync']) {
      let fault: () => void = () => {};
      const disk = powerDisk(undefined, (step, path) => {
        if (step === failingStep && path === at) fault();
      });
      const { journal } = await openJournal(at, silentLogger, { disk });
      const told: Error[] = [];
      journal.onFailure((error) => told.push(error));
      fault = failing('EIO');
      journal.append(revision(1, 'one'));
      await expect(journal.durable()).rejects.toMatchObject({ code: 'MESH2006' });
      fault = () => {};
      await expect(appendTo(journal, 2)).rejects.toMatchObject({ code: 'MESH2006' });
      expect(told).toHaveLength(1);
      await journal.close();
    }
  });

  async function appendTo(journal: Journal, number: number): Promise<void> {
    journal.append(revision(number, 'x'));
    await journal.durable();
  }
});
