/** A disk whose power can be cut before any of its steps: what was not synced by then may be there, in part, or not at all. */
import type { Disk, DiskFile } from '../../src/store/embedded/disk.js';

interface Inode {
  bytes: Buffer;
  safe: Buffer;
}

const SECTOR_BYTES = 512;

export class PowerCut extends Error {}

export interface PowerDisk extends Disk {
  /** Steps done so far. */
  readonly steps: number;
  /** What one finds after the power came back: a new disk. `chance` draws from [0, 1). */
  afterPowerCut(chance: () => number): PowerDisk;
  /** Bytes of a file as they are now. */
  bytesOf(path: string): Buffer | undefined;
}

/** Fails with PowerCut from this step on. `fault`, asked before each step, may throw what a disk throws. */
export function powerDisk(
  cutAtStep = Number.POSITIVE_INFINITY,
  fault: (step: string, path: string) => void = () => {},
  names: Map<string, Inode> = new Map(),
): PowerDisk {
  const safeNames = new Map(names);
  let steps = 0;
  const step = (what: string, path: string): void => {
    if (steps >= cutAtStep) throw new PowerCut(`the power was cut before ${what} ${path}`);
    steps++;
    fault(what, path);
  };
  const fileOf = (path: string, inode: Inode): DiskFile => ({
    async append(bytes) {
      try {
        step('append', path);
      } catch (error) {
        // What fails in the middle has written a part.
        inode.bytes = Buffer.concat([inode.bytes, bytes.subarray(0, bytes.length >> 1)]);
        throw error;
      }
      inode.bytes = Buffer.concat([inode.bytes, bytes]);
    },
    async truncate(bytes) {
      step('truncate', path);
      inode.bytes = inode.bytes.subarray(0, bytes);
    },
    async sync() {
      step('sync', path);
      inode.safe = inode.bytes;
    },
    async close() {},
  });
  return {
    get steps() {
      return steps;
    },
    read: async (path) => names.get(path)?.bytes,
    async open(path) {
      step('open', path);
      const inode = names.get(path) ?? { bytes: Buffer.alloc(0), safe: Buffer.alloc(0) };
      names.set(path, inode);
      return fileOf(path, inode);
    },
    async rename(from, to) {
      step('rename', from);
      names.set(to, names.get(from) ?? { bytes: Buffer.alloc(0), safe: Buffer.alloc(0) });
      names.delete(from);
    },
    async remove(path) {
      step('remove', path);
      names.delete(path);
    },
    async syncDirectoryOf(path) {
      step('sync the directory of', path);
      safeNames.clear();
      for (const [name, inode] of names) safeNames.set(name, inode);
    },
    bytesOf: (path) => names.get(path)?.bytes,
    afterPowerCut(chance) {
      const found = chance() < 0.5 ? safeNames : names;
      const after = [...found].map(([name, inode]): [string, Inode] => {
        const bytes = survivorOf(inode, chance);
        return [name, { bytes, safe: bytes }];
      });
      return powerDisk(Number.POSITIVE_INFINITY, undefined, new Map(after));
    },
  };
}

/** The synced bytes, and of what was appended since a part, whose last sectors may never have been written. */
function survivorOf({ bytes, safe }: Inode, chance: () => number): Buffer {
  if (!bytes.subarray(0, safe.length).equals(safe)) return chance() < 0.5 ? safe : bytes; // cut shorter, not synced
  const length = safe.length + Math.floor(chance() * (bytes.length - safe.length + 1));
  const found = Buffer.from(bytes.subarray(0, length));
  const unwritten = Math.ceil((safe.length + chance() * (length - safe.length)) / SECTOR_BYTES) * SECTOR_BYTES;
  return chance() < 0.3 ? found.fill(0, Math.min(unwritten, length)) : found;
}

/** A disk that holds these files, safely. */
export function diskOf(files: Readonly<Record<string, Buffer>>): PowerDisk {
  const names = new Map(Object.entries(files).map(([name, bytes]) => [name, { bytes, safe: bytes }]));
  return powerDisk(undefined, undefined, names);
}
