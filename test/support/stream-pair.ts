/** The pure engine of one stream and a model proxy, with a queue of messages in each direction, and a clock that only they move. */
import { createStreamState, nextStep, receive, type StreamState, updateView } from '../../src/xds/ordering.js';
import type { View } from '../../src/xds/resource-cache.js';
import { typeOfUrl } from '../../src/xds/resource-types.js';
import type { Response } from '../../src/xds/response.js';
import { ModelProxy, type ModelProxyOptions } from './model-proxy.js';

export class StreamPair {
  readonly proxy: ModelProxy;
  readonly #options: ModelProxyOptions;
  #stream: StreamState;
  #down: Response[] = [];
  #nowMs = 0;

  /** `proxy` may have a configuration of an earlier life. */
  constructor(options: ModelProxyOptions, view: View, proxy: ModelProxy = new ModelProxy(options)) {
    this.#options = options;
    this.proxy = proxy;
    this.#stream = createStreamState(options.kind, view);
    proxy.connect();
  }

  get stream(): StreamState {
    return this.#stream;
  }

  view(view: View): void {
    updateView(this.#stream, view);
    this.#step();
  }

  /** To a pilot that may have another view. What is on its way is lost. */
  reconnect(view = this.#stream.view): void {
    this.#down = [];
    this.#stream = createStreamState(this.#options.kind, view);
    this.proxy.connect();
  }

  /** One message to the proxy. */
  down(): boolean {
    const response = this.#down.shift();
    if (response) this.proxy.take(response);
    return response !== undefined;
  }

  /** One message to the server. */
  up(): boolean {
    const request = this.proxy.outbox.shift();
    const type = request && typeOfUrl(request.typeUrl);
    if (!type) return false;
    receive(this.#stream, type, request, this.#nowMs);
    this.#step();
    return true;
  }

  settle(): void {
    for (let rounds = 0; rounds < 1000; rounds++) {
      if (this.up() || this.down()) continue;
      const { wakeAtMs } = nextStep(this.#stream, this.#nowMs);
      if (wakeAtMs === undefined && !this.proxy.giveUpWarming()) return;
      this.#nowMs = wakeAtMs ?? this.#nowMs;
      this.#step();
    }
    throw new Error('never comes to rest');
  }

  #step(): void {
    this.#nowMs += 1;
    this.#down.push(...nextStep(this.#stream, this.#nowMs).responses);
  }
}
