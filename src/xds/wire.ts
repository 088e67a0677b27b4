/**
 * The few protobuf messages that are put together by hand, so that a resource's bytes are written once and only copied
 * afterwards: length-delimited fields may be concatenated in any order (protobuf encoding, "Message Structure").
 */

const STRING_OR_BYTES = 2;

export function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 127) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return Uint8Array.from(bytes);
}

function head(fieldNumber: number, length: number): Uint8Array {
  return Buffer.concat([varint(fieldNumber * 8 + STRING_OR_BYTES), varint(length)]);
}

export function field(fieldNumber: number, content: string | Uint8Array): Uint8Array {
  const bytes = typeof content === 'string' ? Buffer.from(content, 'utf8') : content;
  return Buffer.concat([head(fieldNumber, bytes.length), bytes]);
}

/**
 * A message as the pieces that it is made of. It is put together where it is sent, into the transport's own frame: a Buffer of
 * it would be one more copy for each proxy, of up to megabytes that the collector has to find again.
 */
export class Pieces {
  readonly byteLength: number;

  constructor(readonly pieces: readonly Uint8Array[]) {
    this.byteLength = pieces.reduce((sum, piece) => sum + piece.length, 0);
  }

  copy(target: Uint8Array, start: number): number {
    let at = start;
    for (const piece of this.pieces) {
      target.set(piece, at);
      at += piece.length;
    }
    return this.byteLength;
  }
}

export interface Frames {
  readonly bytes: Uint8Array;
  readonly deltaField: Uint8Array;
  readonly sotwField: Uint8Array;
}

/**
 * One buffer for three uses. In a DiscoveryResponse a resource is field 2, an Any. In a DeltaDiscoveryResponse it is field
 * 2, a Resource{name = 3, version = 1, resource = 2: the same Any}. Written last, that inner field 2 is at the same time
 * the outer field 2 of the other flavour, and its tail is the message.
 */
export function frameResource(typeUrl: string, name: string, digest: string, message: Uint8Array): Frames {
  const typeField = field(1, typeUrl);
  const valueHead = message.length === 0 ? new Uint8Array() : head(2, message.length);
  const anyLength = typeField.length + valueHead.length + message.length;
  const sotwHead = Buffer.concat([head(2, anyLength), typeField, valueHead]);
  const nameAndVersion = Buffer.concat([field(3, name), field(1, digest)]);
  const deltaHead = head(2, nameAndVersion.length + sotwHead.length + message.length);
  const deltaField = Buffer.concat([deltaHead, nameAndVersion, sotwHead, message]);
  const sotwField = deltaField.subarray(deltaHead.length + nameAndVersion.length);
  return { deltaField, sotwField, bytes: deltaField.subarray(deltaField.length - message.length) };
}

/** envoy.service.discovery.v3.DiscoveryResponse: version_info 1, resources 2 (framed already), type_url 4, nonce 5. */
export function discoveryResponse(
  typeUrl: string,
  version: string,
  nonce: string,
  resources: readonly Uint8Array[],
): Pieces {
  return new Pieces([field(1, version), field(4, typeUrl), field(5, nonce), ...resources]);
}

/** envoy.service.discovery.v3.DeltaDiscoveryResponse: system_version_info 1, resources 2 (framed already), type_url 4, nonce 5, removed_resources 6. */
export function deltaDiscoveryResponse(
  typeUrl: string,
  version: string,
  nonce: string,
  resources: readonly Uint8Array[],
  removed: readonly string[],
): Pieces {
  const gone = removed.map((name) => field(6, name));
  return new Pieces([field(1, version), field(4, typeUrl), field(5, nonce), ...resources, ...gone]);
}

/** More than any honest request has. 4 MiB of the smallest fields would take a tenth of a second. */
const MAX_FIELDS = 20_000;

/**
 * The fields of a message one after the other, without an object for each. Throws a RangeError when the bytes end too early, are
 * no protobuf, or are more fields than `atMost`.
 */
export class FieldReader {
  readonly #message: Buffer;
  readonly #end: number;
  readonly #atMost: number;
  #at: number;
  #count = 0;
  #from = 0;
  #to = 0;
  number = 0;
  /** Of a varint field; 0 for others. Exact up to 2^53. */
  value = 0;

  constructor(message: Buffer, at = 0, end = message.length, atMost = MAX_FIELDS) {
    this.#message = message;
    this.#at = at;
    this.#end = end;
    this.#atMost = atMost;
  }

  /** Goes on to the next field, if there is one. */
  next(): boolean {
    if (this.#at >= this.#end) return false;
    if (++this.#count > this.#atMost) throw new RangeError(`more than ${this.#atMost} fields in one message`);
    const tag = this.#varint();
    const wireType = tag % 8;
    this.number = Math.floor(tag / 8);
    this.value = wireType === 0 ? this.#varint() : 0;
    this.#from = this.#at;
    if (wireType === STRING_OR_BYTES) this.#take(this.#varint());
    else if (wireType === 1 || wireType === 5) this.#take(wireType === 1 ? 8 : 4);
    else if (wireType !== 0) throw new RangeError(`wire type ${wireType} is none of proto3's`);
    else this.#to = this.#from;
    return true;
  }

  /** Of a length-delimited field, sharing the message's memory; empty for a number. */
  bytes(): Buffer {
    return this.#message.subarray(this.#from, this.#to);
  }

  text(): string {
    return this.#message.toString('utf8', this.#from, this.#to);
  }

  /** Of a fixed64 field. */
  double(): number {
    if (this.#to - this.#from !== 8) throw new RangeError('a double of another length than 8');
    return this.#message.readDoubleLE(this.#from);
  }

  /** The field as a message of its own. */
  inside(atMost = MAX_FIELDS): FieldReader {
    return new FieldReader(this.#message, this.#from, this.#to, atMost);
  }

  #varint(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      if (this.#at >= this.#end || factor > 2 ** 63) throw new RangeError('a number ends too early');
      const byte = this.#message[this.#at++] as number; // before the end
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  }

  #take(length: number): void {
    this.#from = this.#at;
    if (this.#at + length > this.#end) throw new RangeError('a field ends too early');
    this.#to = this.#at += length;
  }
}

export interface Field {
  readonly number: number;
  readonly value: number;
  readonly bytes: Buffer;
}

/** For messages that are few. */
export function* fieldsOf(message: Buffer): Generator<Field> {
  const fields = new FieldReader(message);
  while (fields.next()) yield { number: fields.number, value: fields.value, bytes: fields.bytes() };
}
