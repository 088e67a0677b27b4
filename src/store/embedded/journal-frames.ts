/** The frames of a journal: where one begins, whether it is whole. */
import { crc32 } from 'node:zlib';

/** `lmj1`, body length, checksum of both and the body. */
const MAGIC = 0x316a6d6c;
const HEADER_BYTES = 12;

export function frameOf(records: readonly Buffer[]): Buffer {
  const body = Buffer.concat(records);
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32LE(MAGIC, 0);
  header.writeUInt32LE(body.length, 4);
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
