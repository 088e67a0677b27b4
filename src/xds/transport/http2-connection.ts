/** One HTTP/2 connection: its calls, whether its peer is still there, and what it may ask of us. */
import { constants, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { beginning, refusalOf, timeoutMs, trailers } from './grpc-headers.js';
import { Http2Call, isGone } from './http2-call.js';
import { grpcCode, limits, type Methods } from './transport.js';

/** How often a connection is looked after. */
export const TICK_MS = 500;
/** Calls, pings and settings in one tick, each of which makes work. Resets are limited by nghttp2 itself, to 33 a second after 1000. */
const MAX_ASKED = 2 * limits.callsPerConnection;
const CONNECTION_WINDOW_BYTES = 4 * 1024 * 1024;
/** Longer than a stream may be silent, which its handler judges by how busy we are. */
const MESSAGE_MS = 20_000;
const LEAVE_MS = 5_000;

const inTicks = (ms: number): number => Math.ceil(ms / TICK_MS);

export class Http2Connection {
  readonly peer: string;
  waitingBytes = 0;
  readonly #session: ServerHttp2Session;
  readonly #methods: Methods;
  readonly #calls = new Set<Http2Call>();
  #idleTicks = 0;
  #silentTicks = 0;
  #bytesRead = 0;
  #asked = 0;

  constructor(session: ServerHttp2Session, methods: Methods) {
    const { remoteAddress, remotePort } = session.socket;
    this.peer = remoteAddress === undefined ? 'unknown' : `${remoteAddress}:${remotePort}`;
    this.#session = session;
    this.#methods = methods;
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    session.on('stream', (stream, headers) => this.#open(stream, headers));
    session.on('ping', () => this.#ask());
    session.on('remoteSettings', () => this.#ask());
    session.on('error', () => undefined); // it is closed then, and its calls with it
  }

  /** No new calls; gone when those that are there have ended. */
  close(): void {
    this.#session.close();
  }

  destroy(code: number = constants.NGHTTP2_CANCEL): void {
    this.#session.destroy(undefined, code);
  }

  tick(): void {
    this.#asked = 0;
    for (const call of this.#calls) call.tick();
    this.#idleTicks = this.#calls.size === 0 ? this.#idleTicks + 1 : 0;
    if (this.#idleTicks >= inTicks(limits.idleMs)) this.close();
    this.#keepAlive();
  }

  /** Whatever comes from the peer shows that it lives, be it the window that it opens again while it takes in megabytes. */
  #keepAlive(): void {
    if (this.#session.destroyed) return;
    const { bytesRead } = this.#session.socket;
    this.#silentTicks = bytesRead === this.#bytesRead ? this.#silentTicks + 1 : 0;
    this.#bytesRead = bytesRead;
    if (this.#silentTicks === inTicks(limits.pingAfterMs)) this.#session.ping(() => undefined);
    if (this.#silentTicks > inTicks(limits.pingAfterMs + limits.pingLimitMs)) this.destroy();
  }

  #ask(): void {
    if (++this.#asked > MAX_ASKED) this.destroy(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  }

  #open(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    stream.on('error', () => undefined); // it is closed then
    this.#ask();
    if (isGone(stream)) return;
    const path = String(headers[':path']);
    const open = this.#methods.get(path);
    const refusal = refusalOf(headers) ?? (open ? undefined : noMethod(path));
    if (refusal || !open) {
      stream.respond(refusal, { endStream: true });
      return;
    }
    const patience = { message: inTicks(MESSAGE_MS), leave: inTicks(LEAVE_MS), call: inTicks(timeoutMs(headers)) };
    const call = new Http2Call(stream, this, patience);
    this.#calls.add(call);
    stream.on('close', () => this.#calls.delete(call));
    call.serve(open(call));
  }
}

function noMethod(path: string) {
  return { ...beginning, ...trailers(grpcCode.UNIMPLEMENTED, `no method ${path} here`) };
}
