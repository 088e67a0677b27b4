/** Goal: a mesh that changes all day costs its pilots no more in the evening: no memory, no open files. */
import { afterAll, beforeAll, describe, expect } from 'vitest';
import type { PlannedUpstream } from '../../src/model/node-plan.js';
import { isEnvoyMissing } from '../support/envoy.js';
import { hasEtcd } from '../support/etcd.js';
import { dialects, type Extra, type FlipStage, openFlipStage } from '../support/flip-stage.js';
import { nodePlan, plannedInstance } from '../support/node-plans.js';
import { scenario } from '../support/scenario.js';
import { connectSidecar, type Sidecar } from '../support/sidecar-client.js';

const CHANGE_EVERY_MS = 1000;
/** In the warm-up: V8 goes on compiling for a thousand changes and more, and each compiled path is memory that stays. */
const WARM_EVERY_MS = 100;
const RATE = 50;
/** Streams of other proxies, of which one comes anew with each change. */
const STREAMS = 20;
/** The lowest of a window is what is left after a collection: by itself V8 would put the thorough ones off for minutes. */
const WINDOW_MS = 20_000;
const COLLECT = `import v8 from 'node:v8'; import vm from 'node:vm';
v8.setFlagsFromString('--expose-gc');
setInterval(vm.runInNewContext('gc'), ${WINDOW_MS / 4}).unref();`;
/** Of the time, and 5 minutes at most: until all paths are compiled and what is kept of the past is full. */
const WARM_SHARE = 0.4;
const MAX_WARM_MS = 300_000;
const MAX_SLOPE_MIB = 1;
const PER_MS = 600_000;
/** One stream ends while the next begins. */
const MAX_MORE_FILES = 2;

const extras: readonly Extra[] = ['v2', 'v3', undefined];

interface Sample {
  readonly atMs: number;
  /** Of the JavaScript heap and of what it holds outside of it. */
  readonly heapMiB: number;
  /** Of the process, with what the allocators keep for later. */
  readonly residentMiB: number;
  readonly files: number;
}

describe.skipIf(isEnvoyMissing() || !hasEtcd())('all day', () => {
  let stage: FlipStage;
  beforeAll(async () => {
    const collector = `data:text/javascript,${encodeURIComponent(COLLECT)}`;
    stage = await openFlipStage({ NODE_OPTIONS: `--import ${collector}` });
  });
  afterAll(() => stage?.close());

  scenario(
    'xds-soak',
    'a change a second, with proxies that come and go',
    { suite: { seconds: 6 }, lab: { seconds: 1800 } },
    async ({ parameters: { seconds }, isLab, ...scene }) => {
      const [pilot] = stage.pilots;
      const load = await stage.load('own', RATE);
      scene.defer(async () => void (await load.stop()));
      const sidecars: Sidecar[] = [];
      scene.defer(() => {
        for (const sidecar of sidecars) sidecar.close();
      });
      const samples: Sample[] = [];
      const startedMs = performance.now();
      const passedMs = (): number => performance.now() - startedMs;
      const warmMs = Math.min(MAX_WARM_MS, seconds * 1000 * WARM_SHARE);
      for (let i = 0; passedMs() < seconds * 1000; i++) {
        const dialect = dialects[i % dialects.length] ?? 'own';
        await stage.write(dialect, extras[Math.floor(i / dialects.length) % extras.length]);
        if (sidecars.length >= STREAMS) sidecars.shift()?.close();
        sidecars.push(connect(pilot.xds, i));
        const { heapMiB, residentMiB, files } = await stage.figures(pilot);
        samples.push({ atMs: passedMs(), heapMiB, residentMiB, files });
        const everyMs = passedMs() < warmMs ? WARM_EVERY_MS : CHANGE_EVERY_MS;
        await new Promise((resolve) => setTimeout(resolve, everyMs - (passedMs() % everyMs)));
      }
      const lastedMs = passedMs();
      await stage.settled();
      const { sent, failed, failures } = await load.stop();
      expect(failures).toEqual([]);
      const warm = samples.filter(({ atMs }) => atMs > warmMs);
      const files = growthOf(warm.map((one) => one.files));
      const least = lowest(warm);
      const heap = slopeOf(least, 'heapMiB');
      const resident = slopeOf(least, 'residentMiB');
      const course = least.map(({ heapMiB }) => heapMiB.toFixed(1)).join(' ');
      const { acked, refused } = await stage.figures(pilot);
      expect(files).toBeLessThanOrEqual(MAX_MORE_FILES);
      expect(refused).toBe(0);
      if (isLab) expect(heap.slope, course).toBeLessThan(MAX_SLOPE_MIB);
      return {
        lastedMs,
        sent,
        failed,
        recoveredMs: 0,
        facts: {
          changes: samples.length,
          'responses acknowledged': acked,
          'more open files': files,
          // A few seconds say nothing about memory.
          ...(isLab
            ? {
                'MiB more per 10 minutes': inWords(heap),
                'MiB after each collection': course,
                'resident MiB more per 10 minutes': inWords(resident),
                'resident MiB at the end': Math.round(least.at(-1)?.residentMiB ?? 0),
                'seconds of warm-up': Math.round(warmMs / 1000),
              }
            : {}),
        },
      };
    },
  );
});

/** Another instance of `web` each time. */
function connect(address: string, i: number): Sidecar {
  const upstreams: readonly PlannedUpstream[] = [
    {
      mode: 'proxy',
      name: 'reviews',
      namespace: 'default',
      service: 'reviews',
      port: 9080,
      protocol: 'http',
      listener: undefined,
    },
  ];
  const instance = plannedInstance({ instance: `web-v1-${100 + i}`, upstreams });
  return connectSidecar(address, nodePlan(1, [instance], { node: 'callers' }), instance);
}

/** Of the second half against the first. */
function growthOf(values: readonly number[]): number {
  const half = Math.floor(values.length / 2);
  return Math.max(...values.slice(half)) - Math.max(...values.slice(0, half));
}

function lowest(samples: readonly Sample[]): readonly Sample[] {
  const windows = new Map<number, Sample>();
  for (const sample of samples) {
    const window = Math.floor(sample.atMs / WINDOW_MS);
    const least = windows.get(window);
    if (least === undefined || sample.heapMiB < least.heapMiB) windows.set(window, sample);
  }
  return [...windows.values()];
}

interface Slope {
  /** MiB per 10 minutes. */
  readonly slope: number;
  /** Its standard error. */
  readonly error: number;
}

/** Least squares. */
function slopeOf(samples: readonly Sample[], of: 'heapMiB' | 'residentMiB'): Slope {
  const mean = (value: (sample: Sample) => number): number =>
    samples.reduce((sum, sample) => sum + value(sample), 0) / samples.length;
  const [meanMs, meanMiB] = [mean(({ atMs }) => atMs), mean((sample) => sample[of])];
  const spread = mean(({ atMs }) => (atMs - meanMs) ** 2);
  const slope = mean((sample) => (sample.atMs - meanMs) * (sample[of] - meanMiB)) / spread;
  const residue = mean((sample) => (sample[of] - meanMiB - slope * (sample.atMs - meanMs)) ** 2);
  const error = Math.sqrt(residue / spread / Math.max(samples.length - 2, 1));
  return { slope: slope * PER_MS, error: error * PER_MS };
}

function inWords({ slope, error }: Slope): string {
  return `${slope.toFixed(2)} ± ${error.toFixed(2)}`;
}
