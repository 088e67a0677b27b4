import { readdirSync } from 'node:fs';
import path from 'node:path';
import { defineConfig } from 'vitest/config';

const testDir = path.join(import.meta.dirname, 'test');

/**
 * Values in, values out, or real gRPC and HTTP inside of one process. No module holds state, so files share one. The limits are for
 * what hangs: on a busy machine a property of thousands of cases takes ten times as long.
 */
const inProcess = { pool: 'threads', isolate: false, testTimeout: 60_000, hookTimeout: 60_000 } as const;
/** Real etcd, Envoy and Docker: one file at a time, since they share the machine's ports and its two cores. */
const onMachine = { pool: 'forks', fileParallelism: false, testTimeout: 180_000, hookTimeout: 180_000 } as const;

const onMachineDirs = readdirSync(testDir, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !['unit', 'features', 'support'].includes(entry.name))
  .map((entry) => entry.name)
  .sort();

/** The demo application names the client library as any application does; tests read its source, not the last build. */
const resolve = {
  alias: [
    { find: /^lightmesh\/client$/, replacement: path.join(import.meta.dirname, 'src/client/index.ts') },
    { find: /^lightmesh\/client\/(.+)$/, replacement: path.join(import.meta.dirname, 'src/client/$1.ts') },
  ],
};

export default defineConfig({
  test: {
    projects: [
      { resolve, test: { name: 'unit', include: ['test/*.test.ts', 'test/unit/**/*.test.ts'], ...inProcess } },
      { resolve, test: { name: 'features', include: ['test/features/**/*.test.ts'], ...inProcess } },
      ...onMachineDirs.map((name) => ({
        resolve,
        test: { name, include: [`test/${name}/**/*.test.ts`], ...onMachine },
      })),
    ],
  },
});
