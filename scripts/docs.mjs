// `npm run docs`: writes the pages of docs/reference that are made from the code.
import { mkdir, writeFile } from 'node:fs/promises';
import { conformancePage } from '../bench/pages/conformance.ts';
import { performancePage } from '../bench/pages/performance.ts';
import { referencePages } from '../src/cli/reference.ts';

const folder = new URL('../docs/reference/', import.meta.url);
await mkdir(folder, { recursive: true });
const pages = [
  ...(await referencePages()),
  ['conformance.md', conformancePage()],
  ['performance.md', performancePage()],
];
for (const [name, text] of pages) {
  await writeFile(new URL(name, folder), text);
  process.stdout.write(`docs/reference/${name}\n`);
}
