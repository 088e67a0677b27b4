/** `npm run conformance`: see docs/how-to/conformance.md. */
import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { type CaseResult, runConformance } from './conformance/run.js';
import { machine } from './machine.js';
import { root } from './mesh-process.js';

const USAGE =
  'npm run conformance -- [--cases FILE] [--base FILE] [--files-root DIR] [--deviations FILE] [--only NAME] [-o json] [--keep]';

const { output, keep, ...options } = readArguments();
const loadBefore = loadavg()[0];
const isJson = output === 'json';
const results = await runConformance(options, (result, place) => {
  if (!isJson) process.stdout.write(lineOf(result, place));
});
const failed = results.filter(({ passed }) => !passed).length;
const summary = { passed: results.length - failed, failed };
if (isJson) console.log(JSON.stringify({ ...summary, results }, undefined, 2));
else console.log(`\n${summary.passed} passed, ${summary.failed} failed`);
if (keep) {
  const cases = results.map(({ name, passed, problems, deviations }) => ({ name, passed, problems, deviations }));
  const kept = { ...summary, cases, at: new Date().toISOString(), machine: machine(loadBefore) };
  writeFileSync(path.join(root, 'bench/results/conformance.json'), `${JSON.stringify(kept, undefined, 2)}\n`);
}
process.exitCode = failed > 0 ? 1 : 0;

function lineOf({ name, passed, problems, deviations, milliseconds }: CaseResult, place: string): string {
  const verdict = passed ? (deviations.length > 0 ? 'deviates' : 'passed') : 'FAILED';
  const head = `${place.padStart(7)}  ${verdict.padEnd(8)}  ${name.padEnd(56)} ${String(milliseconds).padStart(6)} ms\n`;
  return head + [...problems, ...(passed ? deviations : [])].map((line) => `           ${line}\n`).join('');
}

function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        cases: { type: 'string' },
        base: { type: 'string' },
        'files-root': { type: 'string' },
        deviations: { type: 'string' },
        only: { type: 'string' },
        keep: { type: 'boolean', default: false },
        output: { type: 'string', short: 'o', default: 'table' },
      },
    });
    const { 'files-root': filesRoot, ...rest } = values;
    if (rest.output !== 'json' && rest.output !== 'table') throw new Error('-o wants json or table');
    return { ...rest, filesRoot };
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`);
    process.exit(2);
  }
}
