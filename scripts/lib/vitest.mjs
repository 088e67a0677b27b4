import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { cache } from './places.mjs';
import { run } from './run.mjs';

/** Runs one project of vitest.config.ts; counts come from its JSON report, dots go to the terminal. */
export async function runVitest(project) {
  const report = path.join(cache, 'test', `${project}.json`);
  rmSync(report, { force: true });
  const code = await run(
    'vitest',
    'run',
    '--project',
    project,
    '--reporter=dot',
    '--reporter=json',
    `--outputFile.json=${report}`,
  );
  const counts = read(report);
  // A file that does not load, or an error outside of any test, has no failed test to be counted by.
  return code !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
}

function read(report) {
  try {
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests } = JSON.parse(readFileSync(report, 'utf8'));
    return { passed: numPassedTests, failed: numFailedTests, skipped: numPendingTests + numTodoTests };
  } catch {
    return { passed: 0, failed: 0, skipped: 0 }; // it did not get as far as a report: the exit code tells
  }
}
