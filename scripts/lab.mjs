// `npm run lab -- NAME… [--minutes N]`: the long form of fault scenarios; what it gives is kept in lab/results.
// Without a name it lists them.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { listScenarios, playScenarios, printResults } from './lib/faults.mjs';
import { root } from './lib/places.mjs';

const { values, positionals: names } = readArguments();
const titles = await listScenarios();
const known = titles.map((title) => title.split(':')[0]);
const unknown = names.filter((name) => !known.includes(name));

if (names.length === 0 || unknown.length > 0) {
  if (unknown.length > 0) console.error(`no scenario ${unknown.join(', ')}; there are:`);
  for (const title of titles) console.log(`  ${title}`);
  console.log('\nnpm run lab -- NAME… [--minutes N]');
  process.exit(unknown.length > 0 ? 2 : 0);
}
const { code, kept } = await playScenarios(names, {
  LIGHTMESH_LAB: '1',
  ...(values.minutes === undefined ? {} : { LIGHTMESH_LAB_MINUTES: values.minutes }),
});
const folder = path.join(root, 'lab/results');
mkdirSync(folder, { recursive: true });
for (const result of kept) {
  writeFileSync(path.join(folder, `${result.scenario}.json`), `${JSON.stringify(result, undefined, 2)}\n`);
}
printResults(kept);
console.log(kept.length > 0 ? '\nkept in lab/results' : '\nnothing was measured to its end, so nothing is kept');
process.exitCode = code;

function readArguments() {
  try {
    const parsed = parseArgs({ options: { minutes: { type: 'string' } }, allowPositionals: true });
    const { minutes } = parsed.values;
    if (minutes !== undefined && !(Number(minutes) > 0)) throw new Error(`--minutes wants a number, found ${minutes}`);
    return parsed;
  } catch (error) {
    console.error(`${error.message}\nnpm run lab -- NAME… [--minutes N]`);
    process.exit(2);
  }
}
