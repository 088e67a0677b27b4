/** The frames of a journal: where one begins, whether it is whole, and what a broken one means. */
import { crc32 } from 'node:zlib';

/** `lmj1`, body length, checksum of both and the body. */
const MAGIC = 0x316a6d6c;
const HEADER_BYTES = 12;
/** What a disk writes as a whole: a write that the power cut short leaves sectors as they were, which is zeros at the end. */
const SECTOR_BYTES = 512;

export function frameOf(records: readonly Buffer[]): Buffer {
  const body = Buffer.concat(records);
  const header = headerOf(body.length);
  header.writeUInt32LE(crc32(body, crc32(header.subarray(0, 8))), 8);
  return Buffer.concat([header, body]);
}

export function readFrames(bytes: Buffer): { bodies: Buffer[]; goodBytes: number } {
  const bodies: Buffer[] = [];
  let at = 0;
  for (let body = frameAt(bytes, at); body; body = frameAt(bytes, at)) {
    bodies.push(body);
    at += HEADER_BYTES + body.length;
  }
  return { bodies, goodBytes: at };
}

/** The body of the frame that begins here; undefined when none does, or a broken one. */
function frameAt(bytes: Buffer, at: number): Buffer | undefined {
  if (at + HEADER_BYTES > bytes.length || bytes.readUInt32LE(at) !== MAGIC) return undefined;
  const end = at + HEADER_BYTES + bytes.readUInt32LE(at + 4);
  if (end > bytes.length) return undefined;
  const body = bytes.subarray(at + HEADER_BYTES, end);
  return crc32(body, crc32(bytes.subarray(at, at + 8))) === bytes.readUInt32LE(at + 8) ? body : undefined;
}

/** Where the next whole frame begins, at `from` or later. */
export function findFrame(bytes: Buffer, from: number): number | undefined {
  const magic = Buffer.alloc(4);
  magic.writeUInt32LE(MAGIC);
  for (let at = bytes.indexOf(magic, from); at >= 0; at = bytes.indexOf(magic, at + 1)) {
    if (frameAt(bytes, at)) return at;
  }
  return undefined;
}

/**
 * Is what follows the last whole frame a write that was never finished? Then it is short, or has sectors that were never
 * written. A frame that is all there and does not match its checksum was whole once, and somebody may rely on it.
 */
export function isTorn(bytes: Buffer, from: number): boolean {
  const rest = bytes.length - from;
  if (rest < HEADER_BYTES) return true;
  for (let at = from - (from % SECTOR_BYTES); at < bytes.length; at += SECTOR_BYTES) {
    if (bytes.subarray(Math.max(at, from), at + SECTOR_BYTES).every((byte) => byte === 0)) return true;
  }
  const isShort = bytes.readUInt32LE(from) === MAGIC && HEADER_BYTES + bytes.readUInt32LE(from + 4) > rest;
  return isShort && !isWholeBut(bytes, from);
}

/** With the header that a whole frame of this length would have: only its header was damaged then. */
function isWholeBut(bytes: Buffer, from: number): boolean {
  const body = bytes.subarray(from + HEADER_BYTES);
  return crc32(body, crc32(headerOf(body.length).subarray(0, 8))) === bytes.readUInt32LE(from + 8);
}

function headerOf(bodyBytes: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32LE(MAGIC, 0);
  header.writeUInt32LE(bodyBytes, 4);
  return header;
}
