/**
 * A fault scenario: something is broken on purpose for a while, and what that costs is measured and kept. One code, two
 * forms: the short one runs with `npm test` and `npm run faults`, the long one with `npm run lab -- NAME`.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import path from 'node:path';
import { test } from 'vitest';
import { messageOf } from '../../src/runtime/mesh-error.js';
import { machine } from './machine.js';
import { root } from './mesh-process.js';

/** `seconds`, where a scenario has it, is how long the fault lasts: `--minutes N` of the lab replaces it. */
export type Parameters = Readonly<Record<string, number>>;

export interface Forms<P extends Parameters> {
  readonly suite: P;
  readonly lab: P;
}

export interface Outcome {
  /** How long it was really broken. */
  readonly lastedMs: number;
  /** Requests, calls or writes that were made from before the fault until after the recovery. */
  readonly sent: number;
  readonly failed: number;
  /** From the end of the fault until everything that was promised held again. */
  readonly recoveredMs: number;
  /** What else is worth a word on the line: `{ pushes: 0, 'leases lost': 0 }`. */
  readonly facts?: Readonly<Record<string, number | string>>;
}

export interface Scene<P extends Parameters> {
  readonly parameters: P;
  readonly isLab: boolean;
  /** More wants to run than there are cores: then times say little about us. */
  isMachineBusy(): boolean;
  /** Runs at the end, the last one first, also after a failure. */
  defer(close: () => Promise<void> | void): void;
}

const SUITE_TIMEOUT_MS = 120_000;
const LAB_TIMEOUT_MS = 60 * 60_000;

export const isLab = process.env['LIGHTMESH_LAB'] === '1';
const minutes = process.env['LIGHTMESH_LAB_MINUTES'];

/** Declares a test named `name: broken`. An expectation that fails in `play` fails the test; the line is kept all the same. */
export function scenario<P extends Parameters>(
  name: string,
  broken: string,
  forms: Forms<P>,
  play: (scene: Scene<P>) => Promise<Outcome>,
): void {
  test(`${name}: ${broken}`, { timeout: isLab ? LAB_TIMEOUT_MS : SUITE_TIMEOUT_MS }, async () => {
    const parameters = parametersOf(name, forms);
    const closers: (() => Promise<void> | void)[] = [];
    const before = loadavg()[0];
    const kept = (outcome: Outcome | { readonly error: string }): void =>
      keep(name, {
        scenario: name,
        broken,
        form: isLab ? 'lab' : 'suite',
        passed: !('error' in outcome),
        ...outcome,
        parameters,
        at: new Date().toISOString(),
        machine: machine(before),
      });
    try {
      kept(await play({ parameters, isLab, isMachineBusy, defer: (close) => void closers.push(close) }));
    } catch (error) {
      kept({ error: messageOf(error).slice(0, 1000) });
      throw error;
    } finally {
      for (let next = closers.pop(); next !== undefined; next = closers.pop()) await next();
    }
  });
}

function parametersOf<P extends Parameters>(name: string, forms: Forms<P>): P {
  const parameters = isLab ? forms.lab : forms.suite;
  if (minutes === undefined) return parameters;
  if (!('seconds' in parameters)) {
    throw new Error(`${name} is counted, not timed (${JSON.stringify(parameters)}): run it without --minutes`);
  }
  return { ...parameters, seconds: Number(minutes) * 60 };
}

function keep(name: string, result: object): void {
  const folder = path.join(root, '.cache/faults');
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, `${name}.json`), `${JSON.stringify(result, undefined, 2)}\n`);
}

function isMachineBusy(): boolean {
  return (loadavg()[0] ?? 0) > availableParallelism();
}
