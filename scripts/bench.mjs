// `npm run bench -- NAME`: measures, beside a reference in the same run; what it gives is kept in bench/results.
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { root } from './lib/places.mjs';
import { run } from './lib/run.mjs';

const folder = path.join(root, 'bench');
const [name, ...rest] = process.argv.slice(2);
if (name === undefined || !existsSync(path.join(folder, `${name}.ts`))) {
  if (name !== undefined) console.error(`no bench ${name}; there are:`);
  for (const file of readdirSync(folder)) if (file.endsWith('.ts')) console.log(`  ${file.slice(0, -3)}`);
  console.log('\nnpm run bench -- NAME [OPTION..]');
  process.exit(name === undefined ? 0 : 2);
}
process.exitCode = await run('tsx', `bench/${name}.ts`, ...rest);
