/** Pages block by block, as a reader types them: one shell, the repository as its directory, a home of its own. */
import { createConnection } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fencedBlocks, readPage } from '../support/doc-commands.js';
import { removeAbandoned } from '../support/docker.js';
import { mesh, run, temporaryFolder } from '../support/mesh-process.js';
import { until } from '../support/until.js';

const WAIT_FOR_MACHINE_MS = 60_000;
const BLOCK_SECONDS = 150;
/** The defaults of `mesh up`, which the tutorial keeps to. */
const PORTS = [7070, 7071];

type Facts = readonly (readonly [inBlock: string, inAnswer: readonly RegExp[]])[];

/** What a reader of the tutorial would look for in the answer to a block, by the text of the block. */
const tutorial: Facts = [
  ['up --detach', [/✔ store +embedded/, /✔ pilot +API http:\/\/127\.0\.0\.1:7070/, /✔ agents/, /Ready\. Next:/]],
  ['get services', [/\d+ objects in 1 file: valid/, /Revision \d+: \d+ created/, /^reviews +9080\/http +v1/m]],
  ['mesh deploy', [/Plan: 10 to add/, /^reviews +v2 +\S+ +node-b +healthy/m, /SYNCED/]],
  ['PROXY=', [/"service":"reviews","version":"v1"/]],
  ['gray start', [/v1 → v2 in progress at 10 %, always with x-user=jason/, /"service":"reviews","version":"v2"/]],
  ['gray status', [/^ *\d+ x-backend: reviews\/v1\r?$/m, /^ *\d+ x-backend: reviews\/v2\r?$/m, /asked .* 10 %/]],
  ['gray rollback', [/at 50 %/, /rolled back/, /rolled-back .*just trying/]],
  ['docker kill', [/^reviews +v1/m, /"service":"reviews","version":"v\d"/]],
  ['mesh down', [/first definitions/, /^revision/m, /20 containers of .*node-a, node-b.* removed/, /deleted/]],
];

const edge: Facts = [
  ['up --detach', [/Ready\. Next:/, /^x-backend: shop\/v1\r?$/m]],
  ['gray start', [/^x-backend: shop\/v2\r?$/m, /rolled back/, /5 containers of node-a removed/]],
];

describe.each([
  ['docs/tutorial.md', tutorial],
  ['docs/how-to/edge.md', edge],
])('%s', (page, facts) => {
  const blocks = fencedBlocks(readPage(page), 'sh');

  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let dataDir: string;
  let isStarted = false;
  let isBroken = false;

  beforeAll(async () => {
    folder = await temporaryFolder('tutorial');
    dataDir = path.join(folder.path, 'state/lightmesh');
    for (const node of ['node-a', 'node-b']) removeAbandoned(`io.lightmesh.node=${node}`);
    const what = `no other mesh runs here: 127.0.0.1:${PORTS.join(' and ')} free, no container of node-a (mesh down)`;
    await until(what, isMachineFree, WAIT_FOR_MACHINE_MS);
    isStarted = true;
  }, WAIT_FOR_MACHINE_MS + 10_000);

  afterAll(async () => {
    if (isStarted) await mesh(['down', '--purge', '-y', '--data-dir', dataDir]);
    await folder.remove();
  }, 60_000);

  /** Another mesh of this machine, such as the demo, would be hit by the tutorial's commands. */
  async function isMachineFree(): Promise<boolean> {
    const listening = await Promise.all(PORTS.map(isListening));
    const { stdout } = await run('docker', ['ps', '-aq', '--filter', 'label=io.lightmesh.node=node-a']);
    return !listening.includes(true) && stdout.trim() === '';
  }

  function isListening(port: number): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = createConnection({ host: '127.0.0.1', port });
      socket.once('error', () => resolve(false));
      socket.once('connect', () => {
        socket.destroy();
        resolve(true);
      });
    });
  }

  /** Runs a block with the variables that the blocks before it have set. */
  async function type(text: string): Promise<{ code: number; said: string }> {
    const variables = path.join(folder.path, 'variables');
    const script = `exec 2>&1; unset MESH_SERVER; set -ae; touch ${variables}; . ${variables}\n${text}\nexport -p > ${variables}`;
    const env = { HOME: folder.path, XDG_STATE_HOME: path.join(folder.path, 'state'), NO_COLOR: '1' };
    const { code, stdout } = await run('timeout', [`${BLOCK_SECONDS}`, 'bash', '-c', script], { env });
    return { code, said: stdout };
  }

  it('every fact belongs to one block', () => {
    for (const [inBlock] of facts) expect(blocks.filter(({ text }) => text.includes(inBlock))).toHaveLength(1);
  });

  it.each(blocks.map(({ heading, line, text }) => [heading, line, text] as const))(
    '%s (line %i)',
    async (_heading, _line, text) => {
      expect(isBroken, 'a block before this one failed').toBe(false);
      isBroken = true;
      const { code, said } = await type(text);
      expect(code, said).toBe(0);
      for (const fact of facts.filter(([inBlock]) => text.includes(inBlock)).flatMap(([, inAnswer]) => inAnswer)) {
        expect(said).toMatch(fact);
      }
      isBroken = false;
    },
    (BLOCK_SECONDS + 10) * 1000,
  );

  it('leaves nothing behind', async () => {
    expect(isBroken, 'a block before this one failed').toBe(false);
    expect(await isMachineFree()).toBe(true);
  });
});
