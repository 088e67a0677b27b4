/** Protobuf's encoding, into one growing buffer: of a nested message the length is put before it when it is known. */

const FIRST_BYTES = 1024;
const MAX_VARINT = 10;

export class ByteWriter {
  #buffer = Buffer.allocUnsafe(FIRST_BYTES);
  #at = 0;
  /** Fields that are open. */
  depth = 0;

  /** A copy of their own. */
  bytes(): Uint8Array {
    return Uint8Array.prototype.slice.call(this.#buffer, 0, this.#at);
  }

  tag(number: number, wireType: 0 | 1 | 2 | 5): void {
    this.varint(number * 8 + wireType);
  }

  /** An integer that is not negative. */
  varint(value: number): void {
    this.#reserve(MAX_VARINT);
    let rest = value;
    while (rest > 127) {
      this.#buffer[this.#at++] = (rest % 128) + 128;
      rest = Math.floor(rest / 128);
    }
    this.#buffer[this.#at++] = rest;
  }

  double(value: number): void {
    this.#reserve(8);
    this.#at = this.#buffer.writeDoubleLE(value, this.#at);
  }

  float(value: number): void {
    this.#reserve(4);
    this.#at = this.#buffer.writeFloatLE(value, this.#at);
  }

  /** Without a tag. */
  string(value: string): void {
    const start = this.#begin();
    this.#reserve(value.length * 3);
    this.#at += this.#buffer.write(value, this.#at, 'utf8');
    this.#end(start);
  }

  text(number: number, value: string): void {
    this.tag(number, 2);
    this.string(value);
  }

  /** Begins a field that is a message; its end is told by `close`, with what this answers. */
  open(number: number): Opened {
    const before = this.#at;
    this.depth += 1;
    this.tag(number, 2);
    return { before, start: this.#begin() };
  }

  close({ before, start }: Opened, mode?: 'unless empty'): void {
    this.depth -= 1;
    if (mode !== undefined && this.#at === start) this.#at = before;
    else this.#end(start);
  }

  /** Most are shorter than 128 bytes, so one is left for the length. */
  #begin(): number {
    this.#reserve(1);
    this.#at += 1;
    return this.#at;
  }

  #end(start: number): void {
    const length = this.#at - start;
    let more = 0;
    for (let rest = length; rest > 127; rest = Math.floor(rest / 128)) more += 1;
    if (more > 0) {
      this.#reserve(more);
      this.#buffer.copyWithin(start + more, start, this.#at);
    }
    this.#at = start - 1;
    this.varint(length);
    this.#at = start + more + length;
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#at + bytes));
    this.#buffer.copy(larger); // all of it: a length is written before what stands behind it
    this.#buffer = larger;
  }
}

export interface Opened {
  readonly before: number;
  readonly start: number;
}
