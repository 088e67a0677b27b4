// Runs scenarios of test/faults and shows one line for each: what was broken, for how long, and what it cost.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { cache } from './places.mjs';
import { capture, run } from './run.mjs';

const results = path.join(cache, 'faults');

/** Every scenario as its title, `name: what is broken`. */
export async function listScenarios() {
  const found = JSON.parse(await capture('vitest', 'list', '--project', 'faults', '--json'));
  return found.map(({ name }) => name.split(' > ').at(-1)).sort();
}

/**
 * Plays those whose name matches one of the patterns, or all. Forgets what was kept of earlier runs.
 * Answers with the exit code and what each scenario kept.
 */
export async function playScenarios(patterns, env = {}) {
  forgetResults();
  const filter = patterns.length === 0 ? [] : ['-t', patterns.map((name) => `(^|\\s)${name}:`).join('|')];
  Object.assign(process.env, env);
  const code = await run('vitest', 'run', '--project', 'faults', '--reporter=verbose', ...filter);
  return { code, kept: keptResults() };
}

export function forgetResults() {
  rmSync(results, { recursive: true, force: true });
  mkdirSync(results, { recursive: true });
}

export function keptResults() {
  if (!existsSync(results)) return [];
  const files = readdirSync(results).filter((file) => file.endsWith('.json'));
  return files.sort().map((file) => JSON.parse(readFileSync(path.join(results, file), 'utf8')));
}

export function printResults(kept) {
  const cells = ['lasted', 'sent', 'failed', 'recovered'];
  const width = Math.max(8, ...kept.map(({ scenario }) => scenario.length)) + 3;
  const row = (name, ...rest) => name.padEnd(width) + rest.map((cell) => String(cell).padStart(11)).join('');
  console.log(`\n${row('scenario', ...cells)}`);
  for (const result of kept) {
    const sign = result.passed ? '✔' : '✘';
    const figures =
      result.sent === undefined
        ? ['–', '–', '–', '–']
        : [seconds(result.lastedMs), result.sent, result.failed, `${Math.round(result.recoveredMs)} ms`];
    console.log(`${row(`${sign} ${result.scenario}`, ...figures)}   ${wordsOf(result)}`);
  }
}

function wordsOf({ broken, facts = {}, error }) {
  const known = Object.entries(facts).map(([name, value]) => `${value} ${name}`);
  return [broken, ...known, ...(error ? [error.split('\n')[0]] : [])].join('; ');
}

function seconds(ms) {
  return `${(ms / 1000).toFixed(1)} s`;
}
