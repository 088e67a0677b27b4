// `npm run docs`: writes the pages that are made from the code, and from what was measured.
import { mkdir, writeFile } from 'node:fs/promises';
import { conformancePage } from '../bench/pages/conformance.ts';
import { performancePage } from '../bench/pages/performance.ts';
import { referencePages } from '../src/cli/reference.ts';

const root = new URL('../', import.meta.url);
await mkdir(new URL('docs/reference/', root), { recursive: true });
const pages = [
  ...[...(await referencePages())].map(([name, text]) => [`docs/reference/${name}`, text]),
  ['docs/reference/conformance.md', conformancePage()],
  ['docs/performance.md', performancePage()],
];
for (const [name, text] of pages) {
  await writeFile(new URL(name, root), text);
  process.stdout.write(`${name}\n`);
}
