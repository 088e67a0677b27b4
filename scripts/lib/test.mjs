// The runner behind `npm test`: one suite after another, a table, and one plain last line `N passed, N failed`.
// Suites are `check` (types, lint, format, dead code) and each directory of test/ that holds tests.

import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { runChecks } from './checks.mjs';
import { forgetResults, keptResults, printResults } from './faults.mjs';
import { cache } from './places.mjs';
import { run } from './run.mjs';
import { testDirectories } from './test-directories.mjs';
import { runVitest } from './vitest.mjs';

const IN_PROCESS = ['unit', 'features'];
const suites = ['check', ...testDirectories()];

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !suites.includes(name));
if (unknown.length > 0) {
  console.error(`no suite ${unknown.join(', ')}: there are ${suites.join(', ')}`);
  process.exit(2);
}

mkdirSync(path.join(cache, 'test'), { recursive: true });
const chosen = suites.filter((name) => wanted.length === 0 || wanted.includes(name));
if (chosen.some((name) => name !== 'check' && !IN_PROCESS.includes(name))) await makeImages();

const results = [];
for (const name of chosen) {
  console.log(`\n── ${name}`);
  const startedMs = performance.now();
  if (name === 'faults') forgetResults();
  const counts = name === 'check' ? await runChecks() : await runVitest(name);
  results.push({ name, ...counts, seconds: (performance.now() - startedMs) / 1000 });
}
if (chosen.includes('faults')) printResults(keptResults());
process.exitCode = report(results);

async function makeImages() {
  if ((await run('scripts/images')) !== 0) process.exit(1);
}

function report(all) {
  const row = (name, ...cells) => name.padEnd(16) + cells.map((cell) => String(cell).padStart(9)).join('');
  console.log(`\n${row('suite', 'passed', 'failed', 'skipped', 'seconds')}`);
  for (const { name, passed, failed, skipped, seconds } of all) {
    console.log(row(name, passed, failed, skipped, seconds.toFixed(1)));
  }
  const sum = (count) => all.reduce((total, result) => total + result[count], 0);
  const skipped = sum('skipped');
  const isSkipForbidden = skipped > 0 && process.env.CI === 'true';
  if (isSkipForbidden) console.log('\nwith CI=true nothing may be skipped');
  console.log(`\n${sum('passed')} passed, ${sum('failed')} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  return sum('failed') > 0 || isSkipForbidden ? 1 : 0;
}
