/**
 * The few bytes of gRPC that a health check needs: a message in its frame (gRPC over HTTP/2, "Length-Prefixed-Message")
 * and the two messages of grpc.health.v1, each with one field. Pure.
 */
const FRAME_HEADER_BYTES = 5;
/** Field 1, length-delimited: `string service`. */
const SERVICE_TAG = 0x0a;
/** Field 1, varint: `ServingStatus status`. */
const STATUS_TAG = 0x08;

const SERVING_STATUS = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'] as const;
export type ServingStatus = (typeof SERVING_STATUS)[number];

export function encodeHealthRequest(service: string): Buffer {
  const name = Buffer.from(service);
  // proto3 does not write an empty string: the request for the whole server is an empty message.
  const message =
    name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.of(SERVICE_TAG), varint(name.length), name]);
  const header = Buffer.alloc(FRAME_HEADER_BYTES); // byte 0: not compressed
  header.writeUInt32BE(message.length, 1);
  return Buffer.concat([header, message]);
}

/** Undefined when the bytes are not one whole, uncompressed health response. */
export function decodeHealthResponse(bytes: Buffer): ServingStatus | undefined {
  if (bytes.length < FRAME_HEADER_BYTES || bytes[0] !== 0) return undefined;
  const message = bytes.subarray(FRAME_HEADER_BYTES);
  if (message.length !== bytes.readUInt32BE(1)) return undefined;
  if (message.length === 0) return 'UNKNOWN'; // the default value of an enum is not written
  if (message.length !== 2 || message[0] !== STATUS_TAG) return undefined;
  return SERVING_STATUS[message[1] as number];
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  return Buffer.from([...bytes, rest]);
}
