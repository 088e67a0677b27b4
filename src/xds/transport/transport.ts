/** What the servers of this house need of gRPC, whatever speaks it. Messages are bytes: what is sent was encoded long before, and once. */
import { messageOf } from '../../runtime/mesh-error.js';
import { Pieces } from '../wire.js';

/** Those of gRPC's status codes that we answer with. */
export const grpcCode = {
  OK: 0,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
} as const;

export type GrpcCode = (typeof grpcCode)[keyof typeof grpcCode];

/** Ends a call with this status. */
export class GrpcFailure extends Error {
  constructor(
    readonly code: GrpcCode,
    details: string,
  ) {
    super(details);
  }
}

/** A bidirectional stream, as its server sees it. Nothing that is said after its end reaches anybody. */
export interface Call {
  /** Remote address, `ip:port`; `unknown` on a unix socket. */
  readonly peer: string;
  write(message: Pieces): void;
  /** After what was written. Default OK. */
  end(code?: GrpcCode, details?: string): void;
}

/** Neither may throw. */
export interface CallHandler {
  received(message: Buffer): void;
  /** The client says nothing more, or has gone, or the call was ended by us. Called once, as the last. */
  ended(): void;
}

/** What answers a call, by its path, `/package.Service/Method`. */
export type Methods = ReadonlyMap<string, (call: Call) => CallHandler>;

export interface Transport {
  /** `host:port` with port 0 for a free one, or `unix:/path`; answers the bound address. May be called again. Rejects with the system's error. */
  listen(address: string): Promise<string>;
  /** No new connection, and a GOAWAY on each that is there: who leaves does not come back to us. Resolves when all have left. */
  drain(): Promise<void>;
  /** Cuts what is left. */
  destroy(): void;
}

/** A peer that is gone without a word is noticed within 30 s, as gRPC has it (it may just be busy with megabytes), a connection without a call is closed after 10 s. */
export const limits = {
  pingAfterMs: 10_000,
  pingLimitMs: 20_000,
  idleMs: 10_000,
  messageBytes: 4 * 1024 * 1024,
  callsPerConnection: 1_000,
} as const;

/** A method with one request and one answer. May throw a GrpcFailure; whatever else it throws is the client's fault. */
export function unary(method: (request: Buffer) => Buffer): (call: Call) => CallHandler {
  return (call) => {
    const requests: Buffer[] = [];
    return {
      received(message) {
        if (requests.push(message) > 1) call.end(grpcCode.INVALID_ARGUMENT, 'more than one request');
      },
      ended() {
        try {
          const [request] = requests;
          if (request === undefined) throw new RangeError('no request');
          call.write(new Pieces([method(request)]));
          call.end();
        } catch (error) {
          call.end(error instanceof GrpcFailure ? error.code : grpcCode.INVALID_ARGUMENT, messageOf(error));
        }
      },
    };
  };
}
