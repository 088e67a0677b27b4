/** gRPC in the headers of HTTP/2 (PROTOCOL-HTTP2.md): what a request must say, and how a status is told. */
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';
import { type GrpcCode, grpcCode } from './transport.js';

/** Details may repeat what a client sent, and clients refuse headers of more than 8 KiB. */
const MAX_DETAILS = 1_000;
const CONTENT_TYPE = 'application/grpc';

export const beginning: OutgoingHttpHeaders = {
  ':status': 200,
  'content-type': CONTENT_TYPE,
  'grpc-accept-encoding': 'identity',
};

/** The headers of an answer to what is no gRPC, or to a call that cannot be; undefined when nothing is wrong. */
export function refusalOf(headers: IncomingHttpHeaders): OutgoingHttpHeaders | undefined {
  if (headers[':method'] !== 'POST') return { ':status': 405, allow: 'POST' };
  // Not 200: a client that is no gRPC's would take that for success.
  if (!/^application\/grpc(\+proto)?\s*(;|$)/i.test(headers['content-type'] ?? '')) return { ':status': 415 };
  if (headers['te'] !== 'trailers') {
    return {
      ...beginning,
      ...trailers(grpcCode.INTERNAL, 'no te: trailers; something on the way does not bring trailers back'),
    };
  }
  const encoding = headers['grpc-encoding'] ?? 'identity';
  if (encoding !== 'identity') {
    return { ...beginning, ...trailers(grpcCode.UNIMPLEMENTED, `no encoding ${String(encoding)}; send with identity`) };
  }
  if (Number.isNaN(timeoutMs(headers))) {
    return { ...beginning, ...trailers(grpcCode.INVALID_ARGUMENT, 'grpc-timeout is up to 8 digits and one of HMSmun') };
  }
  return undefined;
}

export function trailers(code: GrpcCode, details: string): OutgoingHttpHeaders {
  if (details === '') return { 'grpc-status': code };
  const short = details.length > MAX_DETAILS ? `${details.slice(0, MAX_DETAILS)}…` : details;
  return { 'grpc-status': code, 'grpc-message': percentEncoded(short) };
}

/** "Percent-Byte-Unencoded": the printable ASCII characters without `%`. */
function percentEncoded(text: string): string {
  return text.replace(/[^ -$&-~]+/g, (run) => Buffer.from(run).toString('hex').toUpperCase().replace(/../g, '%$&'));
}

const unitsMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

/** Of `grpc-timeout`. Infinite when there is none, NaN for what is no timeout. */
export function timeoutMs({ 'grpc-timeout': value }: IncomingHttpHeaders): number {
  if (value === undefined) return Number.POSITIVE_INFINITY;
  const [, digits, unit = ''] = /^(\d{1,8})([HMSmun])$/.exec(String(value)) ?? [];
  return Number(digits) * (unitsMs[unit] ?? Number.NaN);
}
