/** One call over HTTP/2, from its headers to its trailers. */
import { constants, type ServerHttp2Stream } from 'node:http2';
import { messageOf } from '../../runtime/mesh-error.js';
import type { Pieces } from '../wire.js';
import { framed, MessageReader } from './framing.js';
import { beginning, trailers } from './grpc-headers.js';
import { type Call, type CallHandler, type GrpcCode, GrpcFailure, grpcCode, limits } from './transport.js';

/** Beginnings of messages on all calls of a connection. Honest clients write one whole message after the other. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;
const TOO_MANY_BEGUN = `${MAX_WAITING_BYTES} bytes of messages wait for their end; write them one after the other`;

/** What the calls of one connection share. */
export interface CallSurroundings {
  readonly peer: string;
  waitingBytes: number;
}

/** In ticks, not milliseconds: a process that stood still has not waited for anybody. */
export interface CallPatience {
  /** For a message that has begun, and for the first one, to be whole. */
  readonly message: number;
  /** For a call that has ended to be read and closed by its client. */
  readonly leave: number;
  /** `grpc-timeout`. */
  readonly call: number;
}

export class Http2Call implements Call {
  readonly #stream: ServerHttp2Stream;
  readonly #around: CallSurroundings;
  readonly #patience: CallPatience;
  readonly #reader = new MessageReader(limits.messageBytes);
  #handler: CallHandler | undefined;
  #ticks = 0;
  #waitedTicks = 0;
  #leavingTicks = 0;
  /** Of `waitingBytes`, ours. */
  #countedBytes = 0;
  #hasSpoken = false;
  #hasEnded = false;

  constructor(stream: ServerHttp2Stream, around: CallSurroundings, patience: CallPatience) {
    this.#stream = stream;
    this.#around = around;
    this.#patience = patience;
  }

  get peer(): string {
    return this.#around.peer;
  }

  serve(handler: CallHandler): void {
    this.#handler = handler;
    this.#stream.on('data', (chunk: Buffer) => this.#receive(chunk));
    this.#stream.on('end', () => this.#halfClosed());
    this.#stream.on('close', () => {
      this.#forget();
      this.#over();
    });
  }

  write(message: Pieces): void {
    const stream = this.#stream;
    if (this.#hasEnded || isGone(stream)) return;
    if (!stream.headersSent) stream.respond(beginning, { waitForTrailers: true });
    stream.cork();
    for (const part of framed(message)) stream.write(part);
    stream.uncork();
  }

  end(code: GrpcCode = grpcCode.OK, details = ''): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#forget();
    const stream = this.#stream;
    if (isGone(stream)) return;
    if (stream.headersSent) {
      stream.once('wantTrailers', () => isGone(stream) || stream.sendTrailers(trailers(code, details)));
      stream.end();
    } else stream.respond({ ...beginning, ...trailers(code, details) }, { endStream: true });
  }

  tick(): void {
    if (this.#hasEnded) {
      if (++this.#leavingTicks >= this.#patience.leave) this.#stream.close(constants.NGHTTP2_CANCEL);
    } else if (++this.#ticks >= this.#patience.call) {
      this.end(grpcCode.DEADLINE_EXCEEDED, 'the deadline of the call has passed');
    } else if (this.#hasSpoken && this.#reader.waiting === 0) this.#waitedTicks = 0;
    else if (++this.#waitedTicks >= this.#patience.message) {
      this.end(grpcCode.DEADLINE_EXCEEDED, 'a message was begun and not ended');
    }
  }

  #receive(chunk: Buffer): void {
    if (this.#hasEnded) return;
    try {
      for (const message of this.#reader.read(chunk)) {
        this.#hasSpoken = true;
        this.#waitedTicks = 0;
        this.#handler?.received(message);
        if (this.#hasEnded) return;
      }
      this.#count();
      if (this.#around.waitingBytes > MAX_WAITING_BYTES) this.end(grpcCode.RESOURCE_EXHAUSTED, TOO_MANY_BEGUN);
    } catch (error) {
      // Of the reader: a handler does not throw.
      this.end(error instanceof GrpcFailure ? error.code : grpcCode.INTERNAL, messageOf(error));
    }
  }

  #halfClosed(): void {
    if (this.#reader.waiting > 0) this.end(grpcCode.INVALID_ARGUMENT, 'the last message is not whole');
    this.#over();
  }

  /** Half closed, or gone. */
  #over(): void {
    const handler = this.#handler;
    this.#handler = undefined;
    handler?.ended();
  }

  #forget(): void {
    this.#reader.clear();
    this.#count();
  }

  #count(): void {
    this.#around.waitingBytes += this.#reader.waiting - this.#countedBytes;
    this.#countedBytes = this.#reader.waiting;
  }
}

export function isGone({ destroyed, closed }: ServerHttp2Stream): boolean {
  return destroyed || closed;
}
