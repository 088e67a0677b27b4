/** `lightmesh/client/grpc`: `etcd:///services/<service>` as a target of grpc-js, as the stock Go resolver has it. */
import { experimental, Metadata, status } from '@grpc/grpc-js';
import { splitHostPort } from '../model/host-port.js';
import { MeshError, messageOf } from '../runtime/mesh-error.js';
import type { EtcdOptions } from './etcd.js';
import { type Naming, openNaming } from './naming.js';

export type { EtcdOptions } from './etcd.js';

/** Calls that wait for the first list fail after this, with the reason; the resolver goes on trying. */
const FIRST_LIST_MAX_MS = 5_000;
/** Between two tries to open the connection at all (a malformed address stays malformed, but the channel asks on). */
const REOPEN_MS = 5_000;

/** For the whole process, before the first `new Client('etcd:///services/audit', …)`. Later calls replace the address. */
export function registerEtcdResolver(options: EtcdOptions): void {
  const open: OpenNaming = (path, signal) => openNaming({ ...options, path }, signal);
  experimental.registerResolver('etcd', namingResolver(open));
}

type ResolverConstructor = Parameters<typeof experimental.registerResolver>[1];
type OpenNaming = (path: string, signal: AbortSignal) => Promise<Naming>;

export function namingResolver(open: OpenNaming): ResolverConstructor {
  return class extends NamingResolver {
    constructor(target: experimental.GrpcUri, listener: experimental.ResolverListener) {
      super(open, target, listener);
    }

    static getDefaultAuthority(target: experimental.GrpcUri): string {
      return serviceOf(target.path);
    }
  };
}

/** `services/audit` and `versions/audit/v2` are both named `audit` when the request does not say otherwise. */
function serviceOf(path: string): string {
  const parts = path.split('/').filter((part) => part !== '');
  const service = parts.findIndex((part) => /^(services|versions)(\.|$)/.test(part)) + 1;
  return parts[service] ?? path;
}

class NamingResolver implements experimental.Resolver {
  readonly #openNaming: OpenNaming;
  readonly #target: experimental.GrpcUri;
  readonly #listener: experimental.ResolverListener;
  #open: AbortController | undefined;

  constructor(open: OpenNaming, target: experimental.GrpcUri, listener: experimental.ResolverListener) {
    this.#openNaming = open;
    this.#target = target;
    this.#listener = listener;
  }

  /** The mirror brings news by itself, so a wish for news only matters before there is one. */
  updateResolution(): void {
    if (this.#open !== undefined) return;
    this.#open = new AbortController();
    void this.#run(this.#open.signal);
  }

  destroy(): void {
    this.#open?.abort(new Error('the channel is closed'));
    this.#open = undefined;
  }

  async #run(closed: AbortSignal): Promise<void> {
    const late = setTimeout(() => this.#fail('no answer yet'), FIRST_LIST_MAX_MS);
    closed.addEventListener('abort', () => clearTimeout(late), { once: true });
    try {
      const naming = await this.#openNaming(this.#target.path, closed);
      clearTimeout(late);
      if (closed.aborted) return await naming.close();
      closed.addEventListener('abort', () => void naming.close(), { once: true });
      this.#follow(naming);
    } catch (error) {
      clearTimeout(late);
      if (closed.aborted) return;
      this.#fail(error instanceof MeshError && error.hint ? `${error.message}. ${error.hint}` : messageOf(error));
      const again = setTimeout(() => void this.#run(closed), REOPEN_MS);
      closed.addEventListener('abort', () => clearTimeout(again), { once: true });
    }
  }

  #follow(naming: Naming): void {
    const tell = (addresses: readonly string[]): void => {
      this.#listener(experimental.statusOrFromValue(addresses.map(endpoint)), {}, null, '');
      // After an empty list alone, round_robin would let calls wait for ever: the failure behind it fails them.
      if (addresses.length === 0) this.#fail('no instance is registered');
    };
    naming.onChange(tell);
    tell(naming.addresses());
  }

  #fail(reason: string): void {
    const details = `${this.#target.scheme}:///${this.#target.path}: ${reason}`;
    const failure = { code: status.UNAVAILABLE, details, metadata: new Metadata() };
    this.#listener(experimental.statusOrFromError(failure), {}, null, '');
  }
}

function endpoint(address: string): experimental.Endpoint {
  return { addresses: [splitHostPort(address)] };
}
