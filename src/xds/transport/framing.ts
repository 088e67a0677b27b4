/** gRPC's Length-Prefixed-Message, cut over DATA frames in any way (PROTOCOL-HTTP2.md, "Requests"). */
import type { Pieces } from '../wire.js';
import { GrpcFailure, grpcCode } from './transport.js';

/** Compressed flag 1, length 4. */
const HEAD_BYTES = 5;
const FIRST_CAPACITY = 4 * 1024;
const NOTHING: Buffer = Buffer.alloc(0);
/** A piece costs more to write by itself than to copy, up to about this. */
const SHARED_FROM_BYTES = 1024;

/** What to write for a message: long pieces as they are, shared by all to whom they are sent; the others copied together. */
export function framed({ pieces, byteLength }: Pieces): Uint8Array[] {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32BE(byteLength, 1);
  const parts: Uint8Array[] = [];
  let run: Uint8Array[] = [head];
  for (const piece of pieces) {
    if (piece.length < SHARED_FROM_BYTES) run.push(piece);
    else {
      if (run.length > 0) parts.push(Buffer.concat(run));
      parts.push(piece);
      run = [];
    }
  }
  if (run.length > 0) parts.push(Buffer.concat(run));
  return parts;
}

export class MessageReader {
  /** The beginning of a message that is not whole yet. Grows with what comes: a length alone costs nothing. */
  #begun = NOTHING;
  #length = 0;

  constructor(readonly maxLength: number) {}

  /** Bytes that wait for the rest of their message. */
  get waiting(): number {
    return this.#length;
  }

  /** The messages that this chunk completes; they may share its memory. Throws a GrpcFailure as soon as a head is none of ours. */
  *read(chunk: Buffer): Generator<Buffer> {
    for (let at = 0; at < chunk.length; ) {
      const whole = this.#length === 0 ? this.#wholeLength(chunk, at, chunk.length) : undefined;
      if (whole !== undefined && at + whole <= chunk.length) {
        yield chunk.subarray(at + HEAD_BYTES, at + whole);
        at += whole;
        continue;
      }
      const wanted = this.#wholeLength(this.#begun, 0, this.#length) ?? HEAD_BYTES;
      const taken = Math.min(wanted - this.#length, chunk.length - at);
      this.#keep(chunk.subarray(at, at + taken));
      at += taken;
      if (this.#length === this.#wholeLength(this.#begun, 0, this.#length)) yield this.#take();
    }
  }

  /** Forgets what was begun. */
  clear(): void {
    this.#begun = NOTHING;
    this.#length = 0;
  }

  /** With its head. Undefined as long as the head is not there. */
  #wholeLength(bytes: Buffer, start: number, end: number): number | undefined {
    if (end - start < HEAD_BYTES) return undefined;
    if (bytes[start] !== 0) {
      throw new GrpcFailure(grpcCode.UNIMPLEMENTED, 'compressed messages are not read; send with identity');
    }
    const length = bytes.readUInt32BE(start + 1);
    if (length > this.maxLength) {
      throw new GrpcFailure(
        grpcCode.RESOURCE_EXHAUSTED,
        `a message of ${length} bytes; at most ${this.maxLength} are read`,
      );
    }
    return HEAD_BYTES + length;
  }

  #keep(part: Buffer): void {
    const length = this.#length + part.length;
    if (length > this.#begun.length) {
      const larger = Buffer.allocUnsafe(Math.max(length, 2 * this.#begun.length, FIRST_CAPACITY));
      this.#begun.copy(larger, 0, 0, this.#length);
      this.#begun = larger;
    }
    part.copy(this.#begun, this.#length);
    this.#length = length;
  }

  #take(): Buffer {
    const message = this.#begun.subarray(HEAD_BYTES, this.#length);
    this.clear();
    return message;
  }
}
