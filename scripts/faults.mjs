// `npm run faults [-- NAME…]`: breaks things on purpose, in the short form, and says what that cost.
// A name may be a part of one: `npm run faults -- etcd`.
import { listScenarios, playScenarios, printResults } from './lib/faults.mjs';

const words = process.argv.slice(2);
const { code, kept } = await playScenarios(words.map((word) => `\\S*${word}\\S*`));
if (kept.length === 0) {
  console.error(`no scenario is named like ${words.join(', ')}; there are:`);
  for (const title of await listScenarios()) console.error(`  ${title}`);
  process.exit(2);
}
printResults(kept);
process.exitCode = code;
