/** What the journal needs of a disk, step by step, so that tests can end the power between any two of them. */
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

export interface Disk {
  /** Undefined when there is no such file. */
  read(path: string): Promise<Buffer | undefined>;
  /** Opens for appending, creates when there is none. */
  open(path: string): Promise<DiskFile>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Makes what was created, renamed and removed beside this path last. */
  syncDirectoryOf(path: string): Promise<void>;
}

export interface DiskFile {
  append(bytes: Buffer): Promise<void>;
  truncate(bytes: number): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** One read takes no more; a journal may be longer. */
const MAX_READ_BYTES = 1 << 30;

export const nodeDisk: Disk = {
  async read(path) {
    const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (file === undefined) return undefined;
    try {
      return await readAll(file);
    } finally {
      await file.close();
    }
  },
  async open(path) {
    const file = await open(path, 'a', 0o600);
    return {
      append: (bytes) => file.appendFile(bytes),
      truncate: (bytes) => file.truncate(bytes),
      sync: () => file.datasync(),
      close: () => file.close(),
    };
  },
  rename,
  remove: (path) => rm(path, { force: true }),
  async syncDirectoryOf(path) {
    const directory = await open(dirname(path), 'r');
    await directory.sync();
    await directory.close();
  },
};

/** Beside the file, safe on the disk: half of a replacement, after which nothing has changed yet. */
export async function writeReplacement(disk: Disk, path: string, bytes: Buffer): Promise<void> {
  const file = await disk.open(`${path}.new`);
  try {
    await file.truncate(0);
    await file.append(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** The other half. Whoever reads the path finds the old bytes or the new ones, all of them. */
export async function putReplacement(disk: Disk, path: string): Promise<void> {
  await disk.rename(`${path}.new`, path);
  await disk.syncDirectoryOf(path);
}

async function readAll(file: FileHandle): Promise<Buffer> {
  const { size } = await file.stat();
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; ) {
    const { bytesRead } = await file.read(bytes, at, Math.min(MAX_READ_BYTES, size - at), at);
    if (bytesRead === 0) return bytes.subarray(0, at); // it has become shorter
    at += bytesRead;
  }
  return bytes;
}
