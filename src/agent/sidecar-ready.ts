/** Does a sidecar serve? Envoy's `/ready`, as its metrics listener shows it on the node's address. */
import type { Clock } from '../runtime/clock.js';
import { type Probe, probe } from './probe.js';

const TIMEOUT_MS = 1000;
const WAIT_LIMIT_MS = 10_000;
const POLL_MS = 100;

export function readyProbe(address: string, metricsPort: number): Probe {
  const what = { kind: 'http', path: '/ready', isOk: (status: number) => status === 200 } as const;
  return { what, host: address, port: metricsPort, timeoutMs: TIMEOUT_MS };
}

/** At most WAIT_LIMIT_MS: an app that can do without is better than none. */
export async function untilSidecarReady(
  address: string,
  metricsPort: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const target = readyProbe(address, metricsPort);
  const deadline = clock.monotonic() + WAIT_LIMIT_MS;
  while ((await probe(target, signal)) !== undefined && clock.monotonic() < deadline) {
    await clock.sleep(POLL_MS, signal);
  }
}
