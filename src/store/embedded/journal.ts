/**
 * The write-ahead journal: a file of frames, one frame per fsync. What many callers append while the disk is busy shares
 * the next frame. A frame is written only after the one before it is safe, so a broken frame with a whole one after it is
 * damage, never a torn end. Beside it, `<path>.synced` says how many bytes were safe lately: whatever breaks before that
 * was acknowledged once, so it is damage as well, whatever it looks like.
 */
import type { Logger } from '../../runtime/logger.js';
import { MeshError } from '../../runtime/mesh-error.js';
import { type Disk, type DiskFile, nodeDisk, putReplacement, writeReplacement } from './disk.js';
import { findFrame, frameOf, isTorn, readFrames } from './journal-frames.js';
import { decodeRecords, encodeRecord, type JournalRecord } from './journal-records.js';

export interface OpenedJournal {
  readonly records: readonly JournalRecord[];
  readonly journal: Journal;
}

export interface JournalOptions {
  readonly disk?: Disk;
  /** How long to wait for room on a full disk before it is tried again. */
  readonly fullRetryMs?: number;
}

const FULL_RETRY_MS = 1000;

/** Reads everything back. A torn end is cut off, and kept in `<path>.cut`; damage is MESH2014, and nothing is touched. */
export async function openJournal(path: string, log: Logger, options: JournalOptions = {}): Promise<OpenedJournal> {
  const { disk = nodeDisk, fullRetryMs = FULL_RETRY_MS } = options;
  const bytes = (await disk.read(path)) ?? Buffer.alloc(0);
  const { bodies, goodBytes } = readFrames(bytes);
  const damage = damageOf(bytes, goodBytes, await readMark(disk, path));
  if (damage !== undefined) throw damaged(path, damage);
  if (goodBytes < bytes.length) {
    await writeReplacement(disk, `${path}.cut`, bytes.subarray(goodBytes));
    await putReplacement(disk, `${path}.cut`);
    log.warn({ path, bytes: bytes.length - goodBytes }, 'cut off a write that was never finished from the journal');
  }
  const records = bodies.flatMap((body) => [...decodeRecords(body)]);
  const file = await disk.open(path);
  await file.truncate(goodBytes);
  await file.sync();
  await disk.syncDirectoryOf(path);
  return { records, journal: new Journal({ path, disk, fullRetryMs, log }, file, goodBytes) };
}

/** Why the file is not what was once safe; undefined when it is, be it with a torn end. */
function damageOf(bytes: Buffer, goodBytes: number, markBytes: number): string | undefined {
  if (goodBytes < markBytes) return `only ${goodBytes} of ${markBytes} bytes that were safe can be read`;
  if (goodBytes === bytes.length) return undefined;
  const next = findFrame(bytes, goodBytes + 1);
  if (next !== undefined) return `the bytes from ${goodBytes} to ${next} do not match their checksum`;
  if (isTorn(bytes, goodBytes)) return undefined;
  return `the last ${bytes.length - goodBytes} bytes do not match their checksum`;
}

function damaged(path: string, why: string): MeshError {
  return new MeshError('MESH2014', `the journal ${path} is damaged: ${why}; nothing was changed`, {
    hint: 'Bring back a backup with `mesh store restore FILE --store embedded:DIR --replace`; the damaged journal is kept beside it.',
  });
}

/** 0 when there is none: not written yet, or it cannot be read. */
async function readMark(disk: Disk, path: string): Promise<number> {
  const text = (await disk.read(markOf(path)))?.toString() ?? '';
  return /^\d+\n$/.test(text) ? Number(text) : 0;
}

function markOf(path: string): string {
  return `${path}.synced`;
}

interface JournalContext {
  readonly path: string;
  readonly disk: Disk;
  readonly fullRetryMs: number;
  readonly log: Logger;
}

interface Settled {
  readonly done: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

interface Batch extends Settled {
  readonly records: Buffer[];
}

interface Rewrite extends Settled {
  readonly records: () => Buffer[];
}

export class Journal {
  readonly #context: JournalContext;
  #file: DiskFile;
  #bytes: number;
  #collecting: Batch | undefined;
  #writing: Batch | undefined;
  #running: Promise<void> | undefined;
  #rewrite: Rewrite | undefined;
  #markedBytes = 0;
  #marking: Promise<void> | undefined;
  #isReplacing = false;
  #isFull = false;
  #isClosing = false;
  #failure: Error | undefined;
  readonly #onFailure = new Set<(error: Error) => void>();

  constructor(context: JournalContext, file: DiskFile, bytes: number) {
    this.#context = context;
    this.#file = file;
    this.#bytes = bytes;
  }

  /** Size of the file, without what is still being written. */
  get bytes(): number {
    return this.#bytes;
  }

  /** There is no room on the disk: what was appended waits, and nothing of it is acknowledged until there is. */
  get isFull(): boolean {
    return this.#isFull;
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  append(record: JournalRecord): void {
    this.#collecting ??= newBatch();
    this.#collecting.records.push(encodeRecord(record));
    this.#running ??= this.#run();
  }

  /** Resolves when all that has been appended so far is on the disk; undefined when it already is. */
  durable(): Promise<void> | undefined {
    if (this.#failure) return Promise.reject(this.#failure);
    return (this.#collecting ?? this.#writing)?.done;
  }

  /** Called once, when nobody knows any more what is on the disk. */
  onFailure(listener: (error: Error) => void): void {
    this.#onFailure.add(listener);
  }

  /**
   * Replaces the file by these records, which must stand for everything that was appended before they are asked for: they
   * are asked for at once, between two frames. Without room for them the file stays as it is, and goes on.
   */
  rewrite(records: () => Iterable<JournalRecord>): Promise<void> {
    // One that still waits is asked for its records later, so it stands for both.
    this.#rewrite ??= { records: () => [...records()].map(encodeRecord), ...newPromise() };
    const { done } = this.#rewrite;
    this.#collecting ??= newBatch();
    this.#running ??= this.#run();
    return done;
  }

  /** Writes down how much is safe by now. Once a second is often enough: it only narrows what a torn end may be. */
  mark(): Promise<void> {
    this.#marking ??= this.#writeMark().finally(() => {
      this.#marking = undefined;
    });
    return this.#marking;
  }

  /** Waits for what was appended. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await this.#running;
    await this.mark();
    await this.#file.close();
  }

  async #writeMark(): Promise<void> {
    const { disk, path, log } = this.#context;
    const bytes = this.#bytes;
    if (bytes === this.#markedBytes || this.#isReplacing || this.#failure) return;
    try {
      await writeReplacement(disk, markOf(path), Buffer.from(`${bytes}\n`));
      await putReplacement(disk, markOf(path));
      this.#markedBytes = bytes;
    } catch (error) {
      if (!this.#isFull) log.warn({ err: error }, 'could not write down how much of the journal is safe');
    }
  }

  async #run(): Promise<void> {
    // Give everybody whose request came in the same turn a place in the first frame.
    await new Promise((resolve) => setImmediate(resolve));
    for (let batch = this.#collecting; batch; batch = this.#collecting) {
      this.#collecting = undefined;
      this.#writing = batch;
      try {
        if (this.#failure) throw this.#failure;
        await this.#write(batch);
        batch.resolve();
      } catch (error) {
        batch.reject(this.#fail(error));
      }
      this.#writing = undefined;
    }
    this.#running = undefined;
  }

  /** After a failed fsync nobody knows what is on the disk: never try again, the next start reads what is there. */
  #fail(error: unknown): Error {
    if (this.#failure) return this.#failure;
    this.#failure = new MeshError('MESH2006', `could not write the journal ${this.#context.path}`, { cause: error });
    this.#rewrite?.reject(this.#failure);
    for (const listener of this.#onFailure) listener(this.#failure);
    return this.#failure;
  }

  async #write(batch: Batch): Promise<void> {
    const rewrite = this.#rewrite;
    this.#rewrite = undefined;
    // Taken in the same turn as the batch: what it holds is a part of these records already.
    if (rewrite && (await this.#replace(frameOf(rewrite.records()), rewrite))) return;
    if (batch.records.length > 0) await this.#append(frameOf(batch.records));
  }

  /** False when there was no room for it: then nothing has changed. */
  async #replace(frame: Buffer, { resolve, reject }: Rewrite): Promise<boolean> {
    const { path, disk } = this.#context;
    this.#isReplacing = true;
    try {
      await this.#marking;
      await writeReplacement(disk, path, frame);
      // A mark of the longer file would call the shorter one damaged.
      await disk.remove(markOf(path));
      await disk.syncDirectoryOf(path);
    } catch (error) {
      this.#isReplacing = false;
      await disk.remove(`${path}.new`).catch(() => {}); // the next one begins with an empty file anyway
      reject(new MeshError('MESH2006', `could not write the journal ${path} anew`, { cause: error }));
      return false;
    }
    await this.#swap(frame.length).then(resolve, (error: unknown) => {
      reject(this.#fail(error));
      throw error;
    });
    return true;
  }

  async #swap(bytes: number): Promise<void> {
    const { path, disk } = this.#context;
    await putReplacement(disk, path);
    await this.#file.close();
    this.#file = await disk.open(path);
    this.#bytes = bytes;
    this.#markedBytes = 0;
    this.#isReplacing = false;
  }

  async #append(frame: Buffer): Promise<void> {
    while (!(await this.#appendOnce(frame))) {
      await new Promise((resolve) => setTimeout(resolve, this.#context.fullRetryMs));
      if (this.#isClosing) throw new Error('closed while the disk was full');
    }
    await this.#file.sync();
    this.#bytes += frame.length;
    if (this.#isFull) this.#context.log.warn({ path: this.#context.path }, 'there is room on the disk again');
    this.#isFull = false;
  }

  /** False when the disk is full: what was written of it is taken back, and nothing is lost yet. */
  async #appendOnce(frame: Buffer): Promise<boolean> {
    try {
      await this.#file.append(frame);
      return true;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOSPC' && code !== 'EDQUOT') throw error;
      await this.#file.truncate(this.#bytes);
      if (!this.#isFull) {
        const { path, log } = this.#context;
        log.error({ path, err: error }, 'the disk is full: the store takes no change until there is room');
      }
      this.#isFull = true;
      return false;
    }
  }
}

function newBatch(): Batch {
  return { records: [], ...newPromise() };
}

function newPromise(): Settled {
  let settle: Pick<Settled, 'resolve' | 'reject'> | undefined;
  const done = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject };
  });
  done.catch(() => {}); // who does not wait for the disk learns of its failure by the next call
  return { done, ...(settle as Pick<Settled, 'resolve' | 'reject'>) }; // set: the executor runs at once
}
