/** The real readers agree: docker-compose takes the compose files as they were meant, Envoy takes the bootstraps. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { NodePlan } from '../../src/model/node-plan.js';
import { containerPlaces } from '../../src/planner/bootstrap.js';
import { pilotsFile } from '../../src/planner/pilots-file.js';
import { renderNode } from '../../src/planner/render.js';
import { readTemplates } from '../../src/planner/templates.js';
import { findEnvoy, isEnvoyMissing } from '../support/envoy.js';
import { quotingProbes } from '../support/quoting-probes.js';
import { smallWorld } from '../support/small-world.js';
import { planWorld, readWorld, worldOf } from '../support/worlds.js';

const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;
const templates = readTemplates();
let directory: string;

beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'lightmesh-render-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Writes the node's files as an agent does, and answers their paths. */
function writeNode(plan: NodePlan): string[] {
  const { files, problems } = renderNode({ plan, templates, storeEndpoints: ['127.0.0.1:2379'] });
  expect(problems).toEqual([]);
  return files.map((file) => {
    const target = path.join(directory, file.path);
    mkdirSync(path.dirname(target), { recursive: true });
    writeFileSync(target, file.text);
    return target;
  });
}

function composeFileOf(plan: NodePlan): string {
  return writeNode(plan).find((target) => target.endsWith('docker-compose.yml')) as string; // every node has one
}

function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: 'pipe', maxBuffer: MAX_OUTPUT_BYTES });
}

/** PyYAML wrote it, and reads some of its plain texts otherwise than our own reader: `1e3` is a text to it. */
function readByPython(yaml: string): unknown {
  const program = 'import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))';
  return JSON.parse(execFileSync('python3', ['-c', program], { encoding: 'utf8', input: yaml }));
}

const compose = (file: string, ...args: string[]): string => run('docker-compose', '-p', 'render', '-f', file, ...args);

describe.each(['example', 'bookinfo', 'one-service'])('world %s', (name) => {
  const { plans } = planWorld(worldOf(readWorld(name)));

  it('is accepted by docker-compose', () => {
    for (const plan of plans) {
      const names = compose(composeFileOf(plan), 'config', '--services').trim().split('\n').toSorted();
      const meant = plan.instances.flatMap(({ instance }) => [instance, `${instance}-sidecar`]);
      expect(names).toEqual(meant.toSorted());
    }
  });

  it.skipIf(isEnvoyMissing())('is accepted by Envoy', () => {
    const shared = path.join(directory, 'shared');
    mkdirSync(shared, { recursive: true });
    writeFileSync(path.join(shared, 'pilots.json'), pilotsFile(['127.0.0.1:7071']));
    for (const file of plans.flatMap(writeNode).filter((target) => target.endsWith('envoy.yaml'))) {
      // Envoy looks for the folders that a container would have.
      const text = readFileSync(file, 'utf8').replaceAll(containerPlaces.shared, shared);
      writeFileSync(file, text.replaceAll(containerPlaces.run, directory));
      const binary = findEnvoy() as string; // not missing
      expect(() => run(binary, '--mode', 'validate', '-c', file, '-l', 'warning'), file).not.toThrow();
    }
  });
});

describe('a text that readers could take for something else', () => {
  it('is read by docker-compose as it was written', () => {
    const world = worldOf(
      smallWorld({
        nodes: [{ name: 'probes' }],
        services: [{ name: 'probe' }],
        deploy: [{ service: 'probe', version: 'v1', instances: 1 }],
      }),
    );
    const [plan] = planWorld(world).plans;
    const [instance] = plan?.instances ?? [];
    if (plan === undefined || instance === undefined) throw new Error('nothing was planned');
    const environment = Object.fromEntries(quotingProbes.map((probe, i) => [`PROBE_${i}`, probe]));
    const container = { image: 'probe', ...instance.container, environment };
    const file = composeFileOf({ ...plan, instances: [{ ...instance, container }] });
    const { services } = readByPython(compose(file, 'config')) as {
      services: Record<string, { environment: Record<string, string> }>;
    };
    // What `config` prints can be read again, so it doubles the dollars too.
    const found = quotingProbes.map((_probe, i) => services['probe-v1-1']?.environment[`PROBE_${i}`]);
    expect(found).toEqual(quotingProbes.map((probe) => probe.replaceAll('$', '$$$$')));
  });
});
