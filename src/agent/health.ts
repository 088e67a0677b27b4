/** Probes what runs on the node, each instance at its own pace, and remembers the verdicts. */
import { durationMs } from '../model/fields.js';
import { isGateway, type PlannedInstance } from '../model/node-plan.js';
import type { Clock } from '../runtime/clock.js';
import type { HealthVerdict } from './actual.js';
import type { Docker, Exec } from './docker.js';
import { type HealthState, initialHealth, jointHealth, nextHealth, type Thresholds } from './health-state.js';
import { portNumber, probedPort } from './naming-keys.js';
import { type Probe, type ProbeKind, probe } from './probe.js';
import { readyProbe } from './sidecar-ready.js';
import { whyStopped } from './stopped-process.js';

/** Until the first success: a start should show as soon as it is done. */
const STARTING_INTERVAL_MS = 250;
/** The gate on the sidecar is the agent's own affair, the same for every service. */
const SIDECAR_INTERVAL_MS = 1000;
const SIDECAR_THRESHOLDS: Thresholds = { rise: 1, fall: 3 };
/** Between two checks, however long one takes. */
const MIN_PAUSE_MS = 50;
const APP_HOST = '127.0.0.1';

/** One life of one pair: another container, or the same one started again, is another generation and begins anew. */
export interface ProbeTarget {
  readonly planned: PlannedInstance;
  /** Id of the app's, where its command is run. */
  readonly container: string;
  /** Of its first process. */
  readonly pid: number;
  /** The node's address, where the sidecar answers `/ready`. */
  readonly address: string;
  readonly generation: string;
}

export interface HealthWatch {
  /** Probes these and no others. */
  watch(targets: ReadonlyMap<string, ProbeTarget>): void;
  of(instance: string, generation: string): { readonly verdict: HealthVerdict; readonly reason: string };
  close(): Promise<void>;
}

interface Watched {
  readonly generation: string;
  readonly abort: AbortController;
  readonly done: Promise<unknown>;
  app: HealthState;
  sidecar: HealthState;
}

/** `onChange` is called when a verdict or its reason has become another one. */
export function openHealthWatch(docker: Pick<Docker, 'exec'>, clock: Clock, onChange: () => void): HealthWatch {
  const watched = new Map<string, Watched>();
  const start = (target: ProbeTarget): Watched => {
    const abort = new AbortController();
    const own: Watched = {
      generation: target.generation,
      abort,
      app: initialHealth,
      sidecar: initialHealth,
      done: Promise.all([
        probeForever(clock, appProbe(docker, target), abort.signal, (state) => {
          own.app = changed(own.app, state, onChange);
        }),
        probeForever(clock, sidecarProbe(target), abort.signal, (state) => {
          own.sidecar = changed(own.sidecar, state, onChange);
        }),
      ]),
    };
    return own;
  };
  return {
    watch(targets) {
      for (const [instance, own] of watched) {
        if (targets.get(instance)?.generation === own.generation) continue;
        own.abort.abort(new Error('not probed any more'));
        watched.delete(instance);
      }
      for (const [instance, target] of targets) {
        if (!watched.has(instance)) watched.set(instance, start(target));
      }
    },
    of(instance, generation) {
      const own = watched.get(instance);
      return own?.generation === generation ? jointHealth(own.app, own.sidecar) : { verdict: 'starting', reason: '' };
    },
    async close() {
      const all = [...watched.values()];
      for (const own of all) own.abort.abort(new Error('closed'));
      watched.clear();
      await Promise.all(all.map((own) => own.done));
    },
  };
}

function changed(before: HealthState, after: HealthState, onChange: () => void): HealthState {
  if (before.verdict !== after.verdict || before.reason !== after.reason) queueMicrotask(onChange);
  return after;
}

interface Rhythm {
  readonly probe: Probe;
  readonly intervalMs: number;
  readonly thresholds: Thresholds;
}

function appProbe(docker: Pick<Docker, 'exec'>, target: ProbeTarget): Rhythm {
  const { planned } = target;
  if (isGateway(planned)) return sidecarProbe(target);
  const { health, ports } = planned;
  return {
    probe: {
      what: appCheck(docker, target),
      host: APP_HOST,
      port: portNumber(ports.app, probedPort(planned).name),
      timeoutMs: durationMs(health.timeout),
    },
    intervalMs: durationMs(health.interval),
    thresholds: health,
  };
}

function appCheck(docker: Pick<Docker, 'exec'>, { planned, container, pid }: ProbeTarget): ProbeKind {
  const { health } = planned;
  if (health.command !== undefined) return { kind: 'command', run: commandIn(docker, container, health.command) };
  if (health.http !== undefined) {
    return { kind: 'http', path: health.http, isOk: (status) => status >= 200 && status < 400 };
  }
  return health.grpc === undefined
    ? { kind: 'tcp', also: () => whyStopped(pid, container) }
    : { kind: 'grpc', service: health.grpc };
}

/** One at a time: a command that hangs cannot be ended from here, and must not be joined by others. */
function commandIn(docker: Pick<Docker, 'exec'>, container: string, command: readonly string[]) {
  let last: Exec | undefined;
  return async (signal: AbortSignal): Promise<string | undefined> => {
    if (await last?.isRunning().catch(() => false)) return `the check before has not ended: ${command.join(' ')}`;
    last = await docker.exec(container, command);
    const { exitCode, output } = await last.result(signal);
    if (exitCode === 0) return undefined;
    return `exit code ${exitCode} of ${command.join(' ')}${output === '' ? '' : `: ${output.split('\n').at(-1)}`}`;
  };
}

function sidecarProbe({ planned, address }: ProbeTarget): Rhythm {
  return {
    probe: readyProbe(address, planned.ports.metrics),
    intervalMs: SIDECAR_INTERVAL_MS,
    thresholds: SIDECAR_THRESHOLDS,
  };
}

async function probeForever(
  clock: Clock,
  { probe: target, intervalMs, thresholds }: Rhythm,
  signal: AbortSignal,
  tell: (state: HealthState) => void,
): Promise<void> {
  let state = initialHealth;
  while (!signal.aborted) {
    const startedMs = clock.monotonic();
    const failure = await probe(target, signal);
    if (signal.aborted) return;
    state = nextHealth(state, failure, thresholds);
    tell(state);
    const paceMs = state.verdict === 'starting' ? Math.min(STARTING_INTERVAL_MS, intervalMs) : intervalMs;
    const pauseMs = Math.max(MIN_PAUSE_MS, paceMs - (clock.monotonic() - startedMs));
    await clock.sleep(pauseMs, signal).catch(() => {}); // closed
  }
}
