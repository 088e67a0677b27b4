/** `npm run demo -- --once`, as a newcomer runs it: it must show every step, end well and leave nothing behind. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { root, run } from '../support/mesh-process.js';

const DEMO_LIMIT_MS = 180_000;
/** The demo's own nodes, and the pilot's default ports. */
const nodes = ['node-a', 'node-b'];
const ports = ['127.0.0.1:7070', '127.0.0.1:7071'];

/** Local addresses in state LISTEN (0A). */
function listening(): readonly string[] {
  const sockets = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
  return sockets.filter(([, , , state]) => state === '0A').map(([, local = '']) => local);
}

/** As /proc/net/tcp writes an address: little-endian hex. */
function procAddress(address: string): string {
  const [host = '', port = ''] = address.split(':');
  const bytes = host.split('.').map((part) => Number(part).toString(16).padStart(2, '0'));
  return `${bytes.toReversed().join('')}:${Number(port).toString(16).padStart(4, '0')}`.toUpperCase();
}

it(
  'shows a gray release on real containers, and leaves no container, process, port or file behind',
  async () => {
    const startedMs = performance.now();
    const demo = await run(process.execPath, ['scripts/demo.mjs', '--once']);
    expect(demo.stdout, demo.stderr).toContain('Every step was seen to work');
    expect(demo.code).toBe(0);
    expect(demo.stdout).not.toContain('✖');
    expect(performance.now() - startedMs).toBeLessThan(DEMO_LIMIT_MS);

    for (const node of nodes) {
      expect((await run('docker', ['ps', '-aq', '--filter', `label=io.lightmesh.node=${node}`])).stdout).toBe('');
    }
    expect(existsSync(path.join(root, '.cache/demo'))).toBe(false);
    const open = listening();
    expect(ports.filter((address) => open.includes(procAddress(address)))).toEqual([]);
  },
  DEMO_LIMIT_MS + 30_000,
);
