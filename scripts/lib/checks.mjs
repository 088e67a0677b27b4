// What must be green besides the tests. Each check counts as one.
import { run } from './run.mjs';

const CHECKS = [
  ['types of src', 'tsc', '--noEmit', '-p', '.'],
  ['types of the demo application', 'tsc', '--noEmit', '-p', 'fixtures/apps'],
  ['types of the tests', 'tsc', '--noEmit', '-p', 'test'],
  ['lint', 'oxlint', '--quiet'],
  ['format', 'biome', 'check', '--max-diagnostics=8'],
  ['dead code', 'knip', '--no-progress'],
];

export async function runChecks() {
  let failed = 0;
  for (const [name, command, ...args] of CHECKS) {
    const startedMs = performance.now();
    const isGreen = (await run(command, ...args)) === 0;
    console.log(`${isGreen ? '✔' : '✘'} ${name.padEnd(30)} ${((performance.now() - startedMs) / 1000).toFixed(1)}s`);
    if (!isGreen) failed++;
  }
  return { passed: CHECKS.length - failed, failed, skipped: 0 };
}
