// `npm run demo`: the mesh's main job on this machine, with real containers, real Envoys and the commands that a user types.
// `--once` stops and cleans up at the end, and exits 0 only when every step was seen to work.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { styleText } from 'node:util';
import { healthyEndpoints } from './envoy-admin.mjs';
import { load, startLoad } from './load.mjs';

const root = path.resolve(import.meta.dirname, '..');
const once = process.argv.includes('--once');
const dataDir = path.join(root, '.cache/demo');
const world = 'fixtures/worlds/bookinfo';
const started = performance.now();
/** @type {Set<string>} that ran something */
const nodes = new Set();

class Disappointment extends Error {}

/** @param {string} text */
const say = (text) => process.stdout.write(`${text}\n`);
/** @param {Parameters<typeof styleText>[0]} style @param {string} text */
const paint = (style, text) => styleText(style, text, { stream: process.stdout });

let stepNumber = 0;
/** @param {string} title */
function step(title) {
  stepNumber++;
  const at = ((performance.now() - started) / 1000).toFixed(1).padStart(5);
  say(`\n${paint('bold', `${stepNumber}. ${title}`)}  ${paint('dim', `${at}s`)}`);
}

/** @param {boolean} claim @param {string} text */
function seen(claim, text) {
  say(`   ${claim ? paint('green', '✔') : paint('red', '✖')} ${text}`);
  if (!claim) throw new Disappointment(text);
}

/**
 * Runs a command as the user would type it and shows it with what it prints.
 * @param {string} command @param {string[]} args @param {{ quiet?: boolean }} [options]
 * @returns {Promise<string>} its standard output
 */
function run(command, args, { quiet = false } = {}) {
  if (!quiet) say(paint('cyan', `   $ ${path.basename(command)} ${args.join(' ')}`));
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let answer = '';
    let all = '';
    /** @param {Buffer} part */
    const heard = (part) => {
      all += part;
      if (!quiet) process.stdout.write(part.toString().replace(/^(?=.)/gm, '     '));
    };
    child.stdout.on('data', (part) => {
      answer += part;
      heard(part);
    });
    child.stderr.on('data', heard);
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(answer);
      else
        reject(new Disappointment(`${path.basename(command)} ${args.join(' ')} exited ${code}\n${quiet ? all : ''}`));
    });
  });
}

const meshCommand = path.join(root, 'bin/mesh');
/** @param {...string} args */
const mesh = (...args) => run(meshCommand, args);
/** @param {...string} args */
const meshJson = async (...args) => JSON.parse(await run(meshCommand, [...args, '-o', 'json'], { quiet: true }));

/**
 * @param {string} what @param {() => Promise<unknown>} fact @param {number} timeoutMs
 * @returns {Promise<any>}
 */
async function until(what, fact, timeoutMs = 20_000) {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await fact().catch(() => undefined);
    if (value) return value;
    if (performance.now() > deadline) throw new Disappointment(`waited ${timeoutMs / 1000} s for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** @param {import('./load.mjs').LoadResult} result @param {string} service */
function table(result, service) {
  const rows = [...result.byBackend]
    .filter(([backend]) => backend.startsWith(`${service}/`))
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  for (const [backend, count] of rows) {
    const percent = (100 * count) / result.sent;
    const bar = '█'.repeat(Math.round(percent / 2.5)).padEnd(40, '·');
    say(`     ${backend.padEnd(14)} ${bar} ${percent.toFixed(1).padStart(5)} %  ${String(count).padStart(5)}`);
  }
  say(
    paint(
      'dim',
      `     ${result.sent} requests in ${result.seconds.toFixed(1)} s, ${result.failed} failed${result.failures.map((f) => `\n     ${f}`).join('')}`,
    ),
  );
}

/** @param {import('./load.mjs').LoadResult} result @param {string} backend */
const shareOf = (result, backend) => (100 * (result.byBackend.get(backend) ?? 0)) / result.sent;

/** Within four standard deviations of a fair draw. @param {number} share @param {number} weight @param {number} requests */
const within4Sigma = (share, weight, requests) =>
  Math.abs(share - weight) <= 400 * Math.sqrt(((weight / 100) * (1 - weight / 100)) / requests);

/** Admin sockets of every sidecar of this demo. */
function adminSockets() {
  return readdirSync(dataDir, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap((node) =>
      readdirSync(path.join(dataDir, node.name)).map((instance) =>
        path.join(dataDir, node.name, instance, 'run/admin.sock'),
      ),
    )
    .filter((socket) => existsSync(socket));
}

/** Does any Envoy still send requests for the service to this address? @param {string} service @param {string} address */
async function anyEnvoySends(service, address) {
  const views = await Promise.all(adminSockets().map((socket) => healthyEndpoints(socket).catch(() => new Map())));
  return views.some((view) =>
    [...view].some(([cluster, hosts]) => cluster.includes(`|${service}.`) && hosts.has(address)),
  );
}

async function demo() {
  step('Start: store, pilot and agents in one process');
  await mesh('up', '--detach', '--data-dir', path.relative(root, dataDir));

  step('Apply the definitions of a small shop on two nodes');
  await mesh('apply', '-f', world, '-m', 'the demo');
  await mesh('get', 'services');

  step('Plan, then deploy: one docker-compose project per node, an Envoy beside every app');
  await mesh('plan');
  await mesh('deploy');
  await mesh('ps');
  const { items } = await meshJson('ps');
  for (const { node } of items) nodes.add(node);
  seen(
    items.every((/** @type {any} */ i) => i.state === 'healthy'),
    `${items.length} instances healthy, each with its sidecar`,
  );
  const caller = items.find((/** @type {any} */ i) => i.service === 'productpage');
  const target = { proxy: `127.0.0.1:${caller.proxyPort}`, authority: 'reviews:9080' };
  say(
    paint(
      'dim',
      `     compose file of a node: ${path.relative(root, path.join(dataDir, caller.node, 'docker-compose.yml'))}`,
    ),
  );

  step(`Requests to reviews through the sidecar of productpage (http_proxy=http://${target.proxy})`);
  const plain = await load({ ...target, total: 200 });
  table(plain, 'reviews');
  seen(plain.failed === 0 && shareOf(plain, 'reviews/v1') === 100, 'plain traffic meets the stable version only');

  step('Gray release: 10 % to v2, and always for the user jason');
  await mesh('gray', 'start', 'reviews', '--to', 'v2', '--weight', '10', '--match', 'header:x-user=jason');
  const tenth = await load({ ...target, total: 1000 });
  table(tenth, 'reviews');
  seen(within4Sigma(shareOf(tenth, 'reviews/v2'), 10, 1000), 'one in ten requests meets v2');
  await until('every request to be in the load reports', async () => {
    const { stableCounts, grayCounts } = await meshJson('gray', 'status', 'reviews');
    return stableCounts.requests + grayCounts.requests >= 1000;
  });
  await mesh('gray', 'status', 'reviews');
  const jason = await load({ ...target, total: 100, headers: { 'x-user': 'jason' } });
  seen(shareOf(jason, 'reviews/v2') === 100, 'x-user: jason always meets v2');

  step('Shift to 50 %');
  await mesh('gray', 'shift', 'reviews', '50');
  const half = await load({ ...target, total: 1000 });
  table(half, 'reviews');
  seen(within4Sigma(shareOf(half, 'reviews/v2'), 50, 1000), 'every second request meets v2');

  step('Roll back, under load');
  const under = startLoad({ ...target, perSecond: 500 });
  await until('v2 under load', async () => (under.result.byBackend.get('reviews/v2') ?? 0) > 50);
  const asked = performance.now();
  await mesh('gray', 'rollback', 'reviews', '-m', 'demo');
  const returned = performance.now();
  const before = under.result.sent;
  await until('500 more requests', async () => under.result.sent > before + 500);
  const after = await under.stop();
  const last = /** @type {number} */ (after.lastSeenMs.get('reviews/v2'));
  seen(after.failed === 0, `${after.sent} requests, ${after.failed} failed`);
  seen(
    last - returned < 1000,
    `last request seen by v2 ${Math.round(last - asked)} ms after the command was typed (it returned after ${Math.round(returned - asked)} ms)`,
  );

  step('Gray again, then promote');
  await mesh('gray', 'start', 'reviews', '--to', 'v2', '--weight', '25');
  await mesh('gray', 'promote', 'reviews', '--full');
  const promoted = await load({ ...target, total: 200 });
  table(promoted, 'reviews');
  seen(promoted.failed === 0 && shareOf(promoted, 'reviews/v2') === 100, 'v2 is the stable version now');

  step('Kill an instance: it leaves every Envoy by itself');
  const victims = (await meshJson('ps', 'reviews')).items.filter(
    (/** @type {any} */ i) => i.version === 'v2' && i.state === 'healthy',
  );
  const victim = victims[0];
  const steady = startLoad({ ...target, perSecond: 300 });
  await until('load', async () => steady.result.sent > 150);
  const killed = performance.now();
  await run('docker', ['kill', victim.container]);
  await until(
    'the instance to be gone from every Envoy',
    async () => !(await anyEnvoySends('reviews', victim.address)),
  );
  const gone = performance.now();
  const rest = await steady.stop();
  seen(
    gone - killed < 2000,
    `${victim.instance} gone from all ${adminSockets().length} Envoys ${Math.round(gone - killed)} ms after docker kill was typed; ${rest.sent} requests, ${rest.failed} failed`,
  );
  await until(
    'the agent to bring it back',
    async () =>
      (await meshJson('ps', 'reviews')).items.some(
        (/** @type {any} */ i) => i.instance === victim.instance && i.state === 'healthy',
      ),
    60_000,
  );
  seen(true, 'and its agent has brought it back');
}

/** Engines make the folders that containers mount again: what is left without a mesh in it is no mesh to take down. */
async function clean() {
  if (!existsSync(path.join(dataDir, 'up.json'))) return rmSync(dataDir, { recursive: true });
  await run(meshCommand, ['down', '--purge', '-y', '--data-dir', dataDir], { quiet: true });
}

/** Nothing of the demo may be left: containers, process. */
async function nothingLeft() {
  for (const node of nodes) {
    const left = await run('docker', ['ps', '-aq', '--filter', `label=io.lightmesh.node=${node}`], { quiet: true });
    if (left.trim() !== '')
      throw new Disappointment(`containers of ${node} left behind: ${left.trim().split('\n').join(' ')}`);
  }
}

try {
  if (existsSync(dataDir)) await clean();
  await demo();
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  if (once) {
    step('Stop and clean up');
    await clean();
    await nothingLeft();
    seen(true, 'nothing is left behind');
    say(`\nEvery step was seen to work, in ${seconds} s.`);
  } else {
    say(`\nEverything above ran in ${seconds} s, and the mesh is still running. Try next:`);
    say('  ./bin/mesh status                      one screen of everything');
    say('  ./bin/mesh proxy status                what every Envoy has acknowledged');
    say('  ./bin/mesh gray start reviews --to v3 --weight 5');
    say(`Stop it with:\n  ./bin/mesh down --purge --data-dir ${path.relative(process.cwd(), dataDir)}`);
  }
} catch (error) {
  say(
    paint(
      'red',
      `\n✖ ${error instanceof Disappointment ? error.message : String(error instanceof Error ? error.stack : error)}`,
    ),
  );
  if (once) await clean().catch((problem) => say(`cleaning up failed too: ${problem.message}`));
  else
    say(
      `The mesh is left as it is for you to look at. Log: ${path.relative(process.cwd(), path.join(dataDir, 'mesh.log'))}`,
    );
  process.exitCode = 1;
}
