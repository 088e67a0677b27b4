/**
 * `lightmesh/client/register`: a service that runs on its own, not started by the mesh, lists itself in etcd's gRPC naming
 * format for as long as it lives. Sidecars and clients that resolve names find it like any other instance.
 */
import type { NamingMeshData } from '../model/instance.js';
import { DEFAULT_NAMESPACE, NAME_PATTERN, namingTarget, VERSION_PATTERN, versionNamingTarget } from '../model/names.js';
import { systemClock } from '../runtime/clock.js';
import { MeshError } from '../runtime/mesh-error.js';
import { untilAborted } from '../runtime/until-aborted.js';
import { encodeNamingValue, isNamingAddress } from '../store/naming.js';
import { type EtcdOptions, openEtcd } from './etcd.js';
import { followHealth, type HealthCheck } from './health.js';
import { followPlainTraffic } from './plain-traffic.js';

export type { EtcdOptions } from './etcd.js';
export type { HealthCheck } from './health.js';

export interface RegisterOptions extends EtcdOptions {
  readonly service: string;
  /** Default `default`. */
  readonly namespace?: string;
  /**
   * Listed below `versions/<service>/<version>`, and below `services/<service>` while plain traffic gets this version: gray
   * releases are followed. Without: always below `services/<service>`.
   */
  readonly version?: string;
  /** `host:port` at which callers reach it. */
  readonly address: string;
  /** Where it runs, for locality; `port` is the name of the service's port that the address serves, if it has several. */
  readonly place?: Partial<Pick<NamingMeshData, 'instance' | 'node' | 'region' | 'zone' | 'port'>>;
  /** How long it stays listed after it has died without a word: 2 s at least, default 10 s. */
  readonly ttlSeconds?: number;
  /** Listed only while this says so. Default: as long as the process lives. */
  readonly health?: HealthCheck;
}

export interface RegistrationState {
  /** It is listed: written, under a lease that lives. By the own clock, so it turns false even when etcd cannot be asked. */
  readonly isRegistered: boolean;
  /** Why not: `etcd …`, `unhealthy: …`, `closed`. */
  readonly reason: string | undefined;
}

export interface Registration {
  state(): RegistrationState;
  /** Called after each change of the state; returns how to stop listening. */
  onState(listener: (state: RegistrationState) => void): () => void;
  /** Resolves when it is listed for the first time; rejects with the signal's reason before that. */
  whenRegistered(signal?: AbortSignal): Promise<void>;
  /** Takes it out at once. */
  close(): Promise<void>;
}

const DEFAULT_TTL_SECONDS = 10;
/** etcd makes no shorter ones, and callers would see a short pause of the process. */
const MIN_TTL_SECONDS = 2;
const LEAVE_LIMIT_MS = 1000;

/** Returns at once and goes on trying: a service may start before its etcd. Throws MESH2007 for what can never be registered. */
export function register(options: RegisterOptions): Registration {
  const { service, namespace = DEFAULT_NAMESPACE, version, address, place = {} } = checked(options);
  const etcd = openEtcd(options);
  const registrar = etcd.registrar({ ttlSeconds: options.ttlSeconds ?? DEFAULT_TTL_SECONDS });
  const value = encodeNamingValue({ address, mesh: { ...place, ...(version === undefined ? {} : { version }) } });
  const plainKey = `${namingTarget(namespace, service)}/${address}`;
  const versionKey =
    version === undefined ? undefined : `${versionNamingTarget(namespace, service, version)}/${address}`;

  const listeners = new Set<(state: RegistrationState) => void>();
  let isWritten = false;
  let isClosed = false;
  let trouble: string | undefined = `${etcd.description} has not answered yet`;
  let last: RegistrationState = { isRegistered: false, reason: trouble };

  const listed = new Set<string>();
  const list = (key: string, isWanted: boolean): void => {
    if (isWanted) {
      listed.add(key);
      registrar.set(key, value);
    } else if (listed.delete(key)) {
      registrar.remove(key).catch(() => {}); // closed: the lease takes the key with it
    }
  };
  const update = (): void => {
    if (isClosed) return;
    const isHealthy = health.failure() === undefined;
    if (!isHealthy) isWritten = false;
    list(plainKey, isHealthy && (plain?.isWanted() ?? true));
    if (versionKey !== undefined) list(versionKey, isHealthy);
    registrar.flush().then(
      () => {
        isWritten = health.failure() === undefined;
        tell();
      },
      () => {}, // closed
    );
    tell();
  };
  const state = (): RegistrationState => {
    if (isClosed) return { isRegistered: false, reason: 'closed' };
    const failure = health.failure();
    if (failure !== undefined) return { isRegistered: false, reason: `unhealthy: ${failure}` };
    if (!registrar.isAlive() || !isWritten) return { isRegistered: false, reason: trouble };
    return { isRegistered: true, reason: undefined };
  };
  const tell = (): void => {
    const now = state();
    if (now.isRegistered === last.isRegistered && now.reason === last.reason) return;
    last = now;
    for (const listener of listeners) listener(now);
  };
  registrar.onState(({ alive, reason }) => {
    trouble = alive ? undefined : `${etcd.description}: ${reason ?? 'the lease has ended'}`;
    tell();
  });
  const plain = version === undefined ? undefined : followPlainTraffic(etcd, { namespace, service, version }, update);
  const health = followHealth(options.health, systemClock, update);
  update();

  /** By its own hand while the lease lives: so the mesh sees that it has left, and was not lost. The empty lease runs out. */
  const leave = async (): Promise<void> => {
    const gone = Promise.all([...listed].map((key) => registrar.remove(key)));
    const isGone = await untilAborted(gone, AbortSignal.timeout(LEAVE_LIMIT_MS)).then(
      () => true,
      () => false, // etcd does not answer
    );
    await registrar.close({ keepLease: isGone });
  };
  const close = async (): Promise<void> => {
    isClosed = true;
    tell();
    await Promise.all([health.close(), plain?.close(), leave()]);
    etcd.close();
  };
  let closed: Promise<void> | undefined;
  return {
    state,
    onState: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    whenRegistered: (signal) =>
      new Promise((resolve, reject) => {
        const look = (now: RegistrationState): void => {
          if (!now.isRegistered && now.reason !== 'closed') return;
          listeners.delete(look);
          if (now.isRegistered) resolve();
          else reject(new MeshError('MESH2008', `the registration of ${address} is closed`));
        };
        listeners.add(look);
        look(state());
        signal?.addEventListener('abort', () => {
          listeners.delete(look);
          reject(signal.reason as Error);
        });
        if (signal?.aborted) reject(signal.reason as Error);
      }),
    close: () => (closed ??= close()),
  };
}

function checked(options: RegisterOptions): RegisterOptions {
  const { service, namespace = DEFAULT_NAMESPACE, version, address, ttlSeconds = DEFAULT_TTL_SECONDS } = options;
  const refuse = (what: string, found: unknown, allowed: string): never => {
    throw new MeshError('MESH2007', `${what} is ${JSON.stringify(found)}, expected ${allowed}`, {
      hint: 'See docs/how-to/clients.md.',
    });
  };
  const name = 'lower-case letters, digits and dashes, 40 at most';
  if (!NAME_PATTERN.test(service)) refuse('the service', service, name);
  if (!NAME_PATTERN.test(namespace)) refuse('the namespace', namespace, name);
  if (version !== undefined && !VERSION_PATTERN.test(version)) refuse('the version', version, `${name}, dots too`);
  if (!isNamingAddress(address) || /^(0\.0\.0\.0|\[::\]):/.test(address)) {
    refuse('the address', address, 'host:port at which callers reach it');
  }
  if (!Number.isInteger(ttlSeconds) || ttlSeconds < MIN_TTL_SECONDS) {
    refuse('ttlSeconds', ttlSeconds, `a whole number, ${MIN_TTL_SECONDS} at least`);
  }
  return options;
}
