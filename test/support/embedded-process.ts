/** Runs the embedded server in a process of its own, for tests that kill it: `node --import tsx embedded-process.ts DIR [HOST:PORT]`. */
import { systemClock } from '../../src/runtime/clock.js';
import { silentLogger } from '../../src/runtime/logger.js';
import { messageOf } from '../../src/runtime/mesh-error.js';
import { startEmbedded } from '../../src/store/embedded/embedded.js';

const [dir = '', listen] = process.argv.slice(2);
startEmbedded({ dir, clock: systemClock, log: silentLogger, ...(listen === undefined ? {} : { listen }) }).then(
  ({ address }) => process.stdout.write(`${address}\n`),
  (error: unknown) => {
    process.stderr.write(`${messageOf(error)}\n`);
    process.exitCode = 1;
  },
);
