/** The wall clock of a process jumps by hours and years: nothing that it holds or does may depend on that clock. */
import { spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect } from 'vitest';
import type { ApplyResponse } from '../../src/model/api.js';
import { hasEtcd, startEtcd } from '../support/etcd.js';
import { root, temporaryFolder } from '../support/mesh-process.js';
import { type Outcome, type Scene, scenario } from '../support/scenario.js';
import { until } from '../support/until.js';

type Steps = Scene<{ readonly rounds: number; readonly seconds: number }>;

/** In seconds from the real time: forward, back behind the start, a year on, and right again. */
const STEPS = [3600, -7200, 400 * 86_400, 0];

describe.skipIf(!hasFaketime() || !hasEtcd())('a clock that steps', () => {
  scenario(
    'clock-steps-etcd',
    'the wall clock of a pilot and of a registration at etcd steps by hours and years',
    { suite: { rounds: 1, seconds: 1 }, lab: { rounds: 10, seconds: 5 } },
    async (scene) => {
      const etcd = await startEtcd();
      scene.defer(() => etcd.stop());
      return stepped(scene, etcd.url);
    },
  );
  scenario(
    'clock-steps-embedded',
    'the wall clock of a pilot, of a registration and of their embedded store steps by hours and years',
    { suite: { rounds: 1, seconds: 1 }, lab: { rounds: 10, seconds: 5 } },
    async (scene) => {
      const folder = await temporaryFolder('clock');
      scene.defer(() => folder.remove());
      return stepped(scene, `embedded:${folder.path}/data`);
    },
  );
});

async function stepped(scene: Steps, storeUrl: string): Promise<Outcome> {
  const { rounds, seconds } = scene.parameters;
  const folder = await temporaryFolder('faketime');
  scene.defer(() => folder.remove());
  const clockFile = path.join(folder.path, 'offset');
  const step = (offset: number): void => writeFileSync(clockFile, `${offset < 0 ? '' : '+'}${offset}\n`);
  step(0);
  const child = startStepped(storeUrl, clockFile);
  scene.defer(() => child.stop());
  const http = await until('the pilot listens', () => /^\S+/.exec(child.said())?.[0], 60_000);
  const startedMs = performance.now();
  let sent = 0;
  let failed = 0;
  const works = async (): Promise<boolean> => {
    sent++;
    const isDone = await changes(http, sent).catch(() => false);
    if (!isDone) failed++;
    return isDone;
  };
  let slowestMs = 0;
  for (let round = 0; round < rounds; round++) {
    for (const offset of STEPS) {
      step(offset);
      const steppedMs = performance.now();
      await until(`works at ${offset} s`, works);
      slowestMs = Math.max(slowestMs, performance.now() - steppedMs);
      while (performance.now() - steppedMs < seconds * 1000) await works();
    }
  }
  // The lease that it began with, and no other.
  const leases = new Set(
    child
      .said()
      .split('\n')
      .filter((line) => /^(lease|down)/.test(line)),
  );
  expect([...leases]).toEqual([expect.stringMatching(/^lease \d+$/)]);
  expect(failed).toBe(0);
  return {
    lastedMs: performance.now() - startedMs,
    sent,
    failed,
    recoveredMs: slowestMs,
    facts: { steps: rounds * STEPS.length, 'leases lost': 0 },
  };
}

/** One change through the pilot's API: it is committed, seen by the pilot's mirror, and part of what it serves. */
async function changes(http: string, port: number): Promise<boolean> {
  const text = `apiVersion: mesh/v1\nkind: Service\nmetadata: { name: web }\nspec: { port: ${port} }\n`;
  const body = JSON.stringify({ by: 'test', files: [{ name: 'web.yaml', text }] });
  const answer = await fetch(`http://${http}/v1/apply`, { method: 'POST', body });
  const { storeRevision } = (await answer.json()) as ApplyResponse;
  const acks = await fetch(`http://${http}/v1/acks?storeRevision=${storeRevision}&timeoutMs=3000`);
  const ready = await fetch(`http://${http}/readyz`);
  return answer.ok && acks.ok && ready.ok;
}

function startStepped(storeUrl: string, clockFile: string) {
  const env = {
    ...process.env,
    LD_PRELOAD: faketimeLibrary(),
    FAKETIME_TIMESTAMP_FILE: clockFile,
    FAKETIME_NO_CACHE: '1',
    // A step of the wall clock moves no monotonic clock.
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
  const script = path.join(root, 'test/support/clock-process.ts');
  const child = spawn(process.execPath, ['--import', 'tsx', script, storeUrl], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (part) => (said += String(part)));
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  return {
    said: () => said,
    async stop() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

function faketimeLibrary(): string {
  return spawnSync('faketime', ['-m', '-f', '+0', 'printenv', 'LD_PRELOAD'], { encoding: 'utf8' }).stdout.trim();
}

/** False where there is none; with CI=true that is a failure, not a reason to skip. */
function hasFaketime(): boolean {
  if (spawnSync('faketime', ['--help']).error === undefined) return true;
  if (process.env['CI'] === 'true') throw new Error('faketime is not in PATH, and with CI=true nothing may be skipped');
  process.stderr.write('\n!!! faketime is not in PATH: steps of the clock are SKIPPED (apt install faketime)\n\n');
  return false;
}
