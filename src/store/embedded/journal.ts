/**
 * The write-ahead journal: a file of frames, one frame per fsync. What many callers append while the disk is busy shares
 * the next frame. A frame is written only after the one before it is safe, so a broken frame with a whole one after it is
 * damage, never a torn end.
 */
import { type FileHandle, open, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Logger } from '../../runtime/logger.js';
import { MeshError } from '../../runtime/mesh-error.js';
import { findFrame, frameOf, readFrames } from './journal-frames.js';
import { decodeRecords, encodeRecord, type JournalRecord } from './journal-records.js';

export interface OpenedJournal {
  readonly records: readonly JournalRecord[];
  readonly journal: Journal;
}

/** Reads everything back. A torn end is cut off, and kept in `<path>.cut`; damage before the end is MESH2014. */
export async function openJournal(path: string, log: Logger): Promise<OpenedJournal> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  });
  const { bodies, goodBytes } = readFrames(bytes);
  if (goodBytes < bytes.length) {
    const next = findFrame(bytes, goodBytes + 1);
    if (next !== undefined) {
      throw new MeshError('MESH2014', `the journal ${path} is damaged between byte ${goodBytes} and ${next}`, {
        hint: 'Restore a copy of the data directory.',
      });
    }
    await writeFile(`${path}.cut`, bytes.subarray(goodBytes));
    log.warn({ path, bytes: bytes.length - goodBytes }, 'cut off a torn end of the journal');
  }
  const records = bodies.flatMap((body) => [...decodeRecords(body)]);
  const file = await open(path, 'a');
  await file.truncate(goodBytes);
  await file.datasync();
  await syncDirectory(dirname(path));
  return { records, journal: new Journal(path, file, goodBytes) };
}

interface Batch {
  readonly records: Buffer[];
  readonly done: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class Journal {
  readonly #path: string;
  #file: FileHandle;
  #bytes: number;
  #collecting: Batch | undefined;
  #writing: Batch | undefined;
  #running: Promise<void> | undefined;
  #rewrite: (() => Buffer[]) | undefined;
  #failure: Error | undefined;

  constructor(path: string, file: FileHandle, bytes: number) {
    this.#path = path;
    this.#file = file;
    this.#bytes = bytes;
  }

  /** Size of the file, without what is still being written. */
  get bytes(): number {
    return this.#bytes;
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

  /**
   * Replaces the file by these records, which must stand for everything that was appended before they are asked for:
   * they are asked for at once, between two frames.
   */
  rewrite(records: () => Iterable<JournalRecord>): Promise<void> {
    this.#rewrite = () => [...records()].map(encodeRecord);
    this.#collecting ??= newBatch();
    const { done } = this.#collecting;
    this.#running ??= this.#run();
    return done;
  }

  /** Waits for what was appended. */
  async close(): Promise<void> {
    await this.#running;
    await this.#file.close();
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
        // After a failed fsync nobody knows what is on the disk: never try again, the next start reads what is there.
        this.#failure ??= new MeshError('MESH2006', `could not write the journal ${this.#path}`, { cause: error });
        batch.reject(this.#failure);
      }
      this.#writing = undefined;
    }
    this.#running = undefined;
  }

  async #write(batch: Batch): Promise<void> {
    const rewrite = this.#rewrite;
    if (!rewrite) {
      const frame = frameOf(batch.records);
      await this.#file.appendFile(frame);
      await this.#file.datasync();
      this.#bytes += frame.length;
      return;
    }
    this.#rewrite = undefined;
    // Taken in the same turn as the batch: what it holds is a part of these records already.
    const frame = frameOf(rewrite());
    const next = `${this.#path}.new`;
    const file = await open(next, 'w');
    await file.writeFile(frame);
    await file.datasync();
    await file.close();
    await rename(next, this.#path);
    await syncDirectory(dirname(this.#path));
    await this.#file.close();
    this.#file = await open(this.#path, 'a');
    this.#bytes = frame.length;
  }
}

function newBatch(): Batch {
  let settle: Pick<Batch, 'resolve' | 'reject'> | undefined;
  const done = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject };
  });
  done.catch(() => {}); // who does not wait for the disk learns of its failure by the next call
  return { records: [], done, ...(settle as Pick<Batch, 'resolve' | 'reject'>) }; // set: the executor runs at once
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  await directory.sync();
  await directory.close();
}
