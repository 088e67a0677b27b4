// `npm run conformance`: what Istio does, asked of our pilot and a real Envoy. See docs/how-to/conformance.md.
import { run } from './lib/run.mjs';

process.exitCode = await run('tsx', 'test/support/conformance-process.ts', ...process.argv.slice(2));
