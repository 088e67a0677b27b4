/**
 * A proxy as the xDS protocol describes it, without a network: it takes responses, warms clusters, asks for what its
 * resources need, and answers. Strict where Envoy is lenient: it throws when its traffic would have been lost.
 */
import type { EncodedResource } from '../../src/xds/resource-cache.js';
import { type ResourceShort, type ResourceType, resourceType, typeOfUrl } from '../../src/xds/resource-types.js';
import type { Response } from '../../src/xds/response.js';
import type { Request } from '../../src/xds/subscribe.js';
import type { StreamKind } from '../../src/xds/subscription.js';

const needing = { CDS: 'EDS', LDS: 'RDS' } as const;
const routesUrl = resourceType('RDS').typeUrl;

interface Content {
  readonly resources: readonly EncodedResource[];
  /** Those that were not refused. */
  readonly taken: readonly EncodedResource[];
  readonly removed: readonly string[];
}

export interface ModelProxyOptions {
  readonly kind: StreamKind;
  /** Envoy's way: after its start it acknowledges clusters only when all of them are warm. */
  readonly acknowledgesWarm: boolean;
  /** What it would refuse. */
  isBad(resource: EncodedResource): boolean;
  /**
   * What it takes of a response of which it refuses a part. Envoy: the good clusters and listeners, of other types those before
   * the bad one. The default is nothing.
   */
  readonly takesOfRefused?: 'good' | 'as Envoy' | 'nothing';
  /** Clusters that a route configuration sends to; without it, where traffic goes is not checked. */
  readonly clustersOf: ((routes: EncodedResource) => readonly string[]) | undefined;
  /** Refuses routes to clusters that it does not have (`validate_clusters`), instead of throwing; they need not serve, since endpoints may be refused. */
  readonly validatesClusters?: boolean;
}

export class ModelProxy {
  readonly #options: ModelProxyOptions;
  readonly has = new Map<ResourceShort, Map<string, EncodedResource>>();
  /** Clusters whose newest definition waits for endpoints, and those that have served before. */
  readonly warming = new Set<string>();
  readonly serving = new Set<string>();
  readonly #asked = new Map<ResourceShort, Set<string>>();
  readonly #nonces = new Map<ResourceShort, string>();
  readonly #versions = new Map<ResourceShort, string>();
  /** Messages on their way to the server. */
  readonly outbox: Request[] = [];
  timeouts = 0;
  #isReady = false;
  #held: { readonly nonce: string; readonly error: string | undefined } | undefined;

  constructor(options: ModelProxyOptions) {
    this.#options = options;
  }

  /** Opens a stream; what it has from an earlier one is told in the first messages. */
  connect(): void {
    this.outbox.length = 0;
    this.#held = undefined;
    this.#asked.clear();
    this.#nonces.clear();
    for (const short of ['CDS', 'LDS'] as const) this.#ask(short, [], []);
    this.#askForNeeds('CDS');
    this.#askForNeeds('LDS');
  }

  resources(short: ResourceShort): Map<string, EncodedResource> {
    let resources = this.has.get(short);
    if (!resources) this.has.set(short, (resources = new Map()));
    return resources;
  }

  take({ subscription: { type }, nonce, version, resources, removed }: Response): void {
    const { short } = type;
    const firstBad = resources.findIndex((resource) => this.refuses(resource));
    const isRefused = firstBad >= 0;
    this.#nonces.set(short, nonce);
    const taken = isRefused ? this.#goodOnes(type, resources, firstBad) : resources;
    if (taken !== undefined) this.#apply(short, { resources, taken, removed });
    this.#check();
    if (!isRefused) this.#versions.set(short, version);
    const isHeld = this.#options.acknowledgesWarm && this.#isReady && short === 'CDS' && this.warming.size > 0;
    const error = isRefused ? `bad ${short}` : undefined;
    if (isHeld) this.#held = { nonce, error };
    else this.#answer(short, nonce, error);
    if (short === 'CDS' || short === 'LDS') this.#askForNeeds(short);
    if (this.warming.size === 0) this.#release();
  }

  /** Has it asked for it, or does it take whatever there is of the type? */
  wants({ typeUrl, name }: EncodedResource): boolean {
    const type = typeOfUrl(typeUrl);
    return type !== undefined && (type.wildcard || (this.#asked.get(type.short)?.has(name) ?? false));
  }

  /** Takes away what nothing of it refers to: no proxy has that. */
  tidy(): void {
    for (const [short, needed] of Object.entries(needing)) {
      const needs = new Set([...this.resources(short as keyof typeof needing).values()].flatMap((one) => one.needs));
      for (const name of this.resources(needed).keys()) if (!needs.has(name)) this.resources(needed).delete(name);
    }
  }

  /** The same configuration in another life, in which everything is warm. */
  restarted(options: ModelProxyOptions): ModelProxy {
    const proxy = new ModelProxy(options);
    for (const [short, resources] of this.has) proxy.has.set(short, new Map(resources));
    for (const name of this.resources('CDS').keys()) proxy.serving.add(name);
    proxy.#isReady = true;
    return proxy;
  }

  /** Envoy's initial fetch timeout, 15 s: a cluster stops waiting, and uses the endpoints that it knows from before. */
  giveUpWarming(): boolean {
    if (this.warming.size === 0) return false;
    for (const name of this.warming) if (this.resources('EDS').has(name)) this.serving.add(name);
    this.warming.clear();
    this.#release();
    this.timeouts += 1;
    return true;
  }

  #release(): void {
    this.#isReady ||= this.serving.size > 0;
    if (this.#held !== undefined) this.#answer('CDS', this.#held.nonce, this.#held.error);
    this.#held = undefined;
  }

  refuses(resource: EncodedResource): boolean {
    if (this.#options.isBad(resource)) return true;
    const { validatesClusters, clustersOf } = this.#options;
    if (validatesClusters !== true || clustersOf === undefined || resource.typeUrl !== routesUrl) return false;
    return clustersOf(resource).some((name) => !this.resources('CDS').has(name));
  }

  /** Undefined: not even what the response takes away. */
  #goodOnes(
    type: ResourceType,
    resources: readonly EncodedResource[],
    firstBad: number,
  ): readonly EncodedResource[] | undefined {
    const { takesOfRefused = 'nothing' } = this.#options;
    if (takesOfRefused === 'nothing') return undefined;
    if (takesOfRefused === 'as Envoy' && !type.isFullState) return resources.slice(0, firstBad);
    return resources.filter((resource) => !this.refuses(resource));
  }

  #apply(short: ResourceShort, { resources, taken, removed }: Content): void {
    const has = this.resources(short);
    const isExact = this.#options.kind === 'sotw' && resourceType(short).isFullState;
    const names = new Set(resources.map((resource) => resource.name));
    const gone = isExact ? [...has.keys()].filter((name) => !names.has(name)) : removed;
    for (const resource of taken) {
      if (!this.wants(resource)) continue; // nobody listens to it any more
      if (short === 'CDS' && has.get(resource.name)?.digest !== resource.digest) this.#renew(resource);
      if (short === 'EDS') this.#warm(resource.name);
      has.set(resource.name, resource);
    }
    for (const name of gone) {
      has.delete(name);
      if (short === 'EDS') this.warming.delete(name); // it serves without endpoints
      if (short !== 'CDS') continue;
      this.warming.delete(name);
      this.serving.delete(name);
    }
  }

  #renew({ name, needs }: EncodedResource): void {
    if (needs.length > 0) this.warming.add(name);
    else this.serving.add(name);
  }

  #warm(cluster: string): void {
    this.warming.delete(cluster);
    if (this.resources('CDS').has(cluster)) this.serving.add(cluster);
  }

  #check(): void {
    const { clustersOf, validatesClusters } = this.#options;
    if (!clustersOf) return;
    const listened = new Set([...this.resources('LDS').values()].flatMap((listener) => listener.needs));
    for (const routes of this.resources('RDS').values()) {
      if (!listened.has(routes.name)) continue;
      for (const name of clustersOf(routes)) {
        const isThere = validatesClusters ? this.resources('CDS').has(name) : this.serving.has(name);
        if (!isThere) throw new Error(`routes ${routes.name} send to cluster ${name}, which does not serve`);
      }
    }
  }

  #askForNeeds(short: 'CDS' | 'LDS'): void {
    const needed = needing[short];
    const names = new Set([...this.resources(short).values()].flatMap((resource) => resource.needs));
    const asked = this.#asked.get(needed) ?? new Set();
    const added = [...names].filter((name) => !asked.has(name));
    const gone = [...asked].filter((name) => !names.has(name));
    for (const name of gone) this.resources(needed).delete(name);
    if (added.length > 0 || gone.length > 0) this.#ask(needed, added, gone);
  }

  #ask(short: ResourceShort, added: readonly string[], gone: readonly string[]): void {
    const isFirst = !this.#asked.has(short);
    const asked = this.#asked.get(short) ?? new Set();
    for (const name of added) asked.add(name);
    for (const name of gone) asked.delete(name);
    this.#asked.set(short, asked);
    const { typeUrl } = resourceType(short);
    if (this.#options.kind === 'sotw') return this.#answer(short, this.#nonces.get(short) ?? '', undefined);
    const has = isFirst ? [...this.resources(short).values()] : [];
    const initialVersions = has.map((resource) => [resource.name, resource.digest] as const);
    const names = { subscribe: added, unsubscribe: gone };
    this.outbox.push({ kind: 'delta', typeUrl, nonce: '', error: undefined, ...names, initialVersions });
  }

  #answer(short: ResourceShort, nonce: string, error: string | undefined): void {
    const { typeUrl } = resourceType(short);
    if (this.#options.kind === 'delta') {
      this.outbox.push({ kind: 'delta', typeUrl, nonce, error, subscribe: [], unsubscribe: [], initialVersions: [] });
      return;
    }
    const names = [...(this.#asked.get(short) ?? [])];
    this.outbox.push({ kind: 'sotw', typeUrl, nonce, error, names, version: this.#versions.get(short) ?? '' });
  }
}
