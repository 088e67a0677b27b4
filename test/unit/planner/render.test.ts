import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { NodePlan, PlannedInstance } from '../../../src/model/node-plan.js';
import { type RenderInput, renderNode } from '../../../src/planner/render.js';
import { readTemplates } from '../../../src/planner/templates.js';
import { quotingProbes } from '../../support/quoting-probes.js';
import { type SmallWorld, smallWorld } from '../../support/small-world.js';
import { planWorld, worldOf } from '../../support/worlds.js';

const templates = readTemplates();

function planOf(container: object, more: Partial<SmallWorld> = {}): NodePlan {
  const world: SmallWorld = {
    nodes: [{ name: 'a' }],
    services: [{ name: 'api', versions: { '1.0': container } }],
    deploy: [{ service: 'api', version: '1.0', instances: 1 }],
    ...more,
  };
  const [plan] = planWorld(worldOf(smallWorld(world))).plans;
  if (plan === undefined) throw new Error('nothing was planned');
  return plan;
}

const render = (plan: NodePlan, options: Partial<RenderInput> = {}) =>
  renderNode({ plan, templates, storeEndpoints: [], ...options });

interface Services {
  readonly services: Record<string, Record<string, unknown>>;
  readonly volumes?: object;
}

function composeOf(plan: NodePlan, options: Partial<RenderInput> = {}): Services {
  const { files, problems } = render(plan, options);
  expect(problems).toEqual([]);
  return parse(files.find((file) => file.path.endsWith('docker-compose.yml'))?.text ?? '') as Services;
}

const withContainer = (plan: NodePlan, container: object): NodePlan => {
  const instances = plan.instances.map(
    (i) => ({ ...i, container: { ...i.container, ...container } }) as PlannedInstance,
  );
  return { ...plan, instances };
};

describe('a rendered node', () => {
  it('is one compose file, and a bootstrap for each instance', () => {
    const { files } = render(planOf({}));
    expect(files.map((file) => file.path)).toEqual(['a/api-1.0-1/envoy.yaml', 'a/docker-compose.yml']);
  });

  it('has a compose file without services when there is nothing to run', () => {
    expect(composeOf({ ...planOf({}), instances: [] })).toEqual({ services: {} });
  });

  it('pairs the app with its sidecar on the host network, and lets it wait for that', () => {
    const { services } = composeOf(planOf({ command: ['serve'], mem_limit: '64m' }));
    expect(services['api-1.0-1']).toMatchObject({
      image: 'api:1.0',
      command: ['serve'],
      mem_limit: '64m',
      network_mode: 'host',
      depends_on: { 'api-1.0-1-sidecar': { condition: 'service_healthy' } },
      restart: 'unless-stopped',
      logging: { driver: 'json-file' },
    });
    expect(services['api-1.0-1-sidecar']).toMatchObject({
      image: 'lightmesh/envoy:1.40.0',
      network_mode: 'host',
      user: '0:0',
      read_only: true,
      healthcheck: { test: ['CMD', '/bin/busybox', 'wget', '-q', '-O', '/dev/null', 'http://10.0.0.1:20003/ready'] },
    });
  });

  it("runs sidecars as the agent's user when it is told so", () => {
    const { services } = composeOf(planOf({}), { sidecarUser: '1000:1000' });
    expect(services['api-1.0-1-sidecar']).toMatchObject({ user: '1000:1000' });
  });

  it('does not check a sidecar whose image has nothing to check with', () => {
    const plan = planOf({}, { mesh: { sidecar: { healthCommand: ['NONE'] } } });
    const { services } = composeOf(plan);
    expect(services['api-1.0-1-sidecar']).toMatchObject({ healthcheck: { disable: true } });
    expect(services['api-1.0-1']).toMatchObject({
      depends_on: { 'api-1.0-1-sidecar': { condition: 'service_started' } },
    });
  });

  it('has labels that stay the same for the life of an instance', () => {
    const first = planOf({ labels: { team: 'a' } });
    const labels = { team: 'a', 'io.lightmesh.role': 'app', 'io.lightmesh.revision': '1', 'io.lightmesh.node': 'a' };
    expect(composeOf(first).services['api-1.0-1']?.['labels']).toMatchObject(labels);
    expect(composeOf({ ...first, revision: 9 }).services).toEqual(composeOf(first).services);
  });

  it('declares the named volumes', () => {
    const volumes = ['data:/data', '/srv/files:/files:ro', '/cache'];
    expect(composeOf(planOf({ volumes })).volumes).toEqual({ data: {} });
  });

  it('writes durations that compose knows', () => {
    const grace = (text: string) =>
      composeOf(planOf({ stop_grace_period: text })).services['api-1.0-1']?.['stop_grace_period'];
    expect([grace('5s'), grace('1.5s'), grace('1m30s'), grace('1d')]).toEqual(['5s', '1500ms', '90s', '86400s']);
  });

  it('keeps every text as it is, and compose from reading variables into it', () => {
    const environment = Object.fromEntries(quotingProbes.map((probe, i) => [`PROBE_${i}`, probe]));
    const { services } = composeOf(withContainer(planOf({}), { environment, command: quotingProbes }));
    const meant = quotingProbes.map((probe) => probe.replaceAll('$', '$$$$'));
    expect(services['api-1.0-1']?.['command']).toEqual(meant);
    expect(services['api-1.0-1']?.['environment']).toMatchObject(
      Object.fromEntries(meant.map((probe, i) => [`PROBE_${i}`, probe])),
    );
  });

  it('is refused when a template loses something', () => {
    const broken = { ...templates, compose: templates.compose.replace('{{yaml volumes 2}}', ' {}') };
    const { files, problems } = render(planOf({ volumes: ['data:/data'] }), { templates: broken });
    expect(files).toEqual([]);
    expect(problems).toMatchObject([{ code: 'MESH1019', file: 'a/docker-compose.yml' }]);
    expect(problems[0]?.message).toContain('does not say what was meant');
  });

  it('is refused when a template does not quote', () => {
    const unsafe = {
      ...templates,
      compose:
        'services:\n  x:\n    image: {{#each pairs}}{{#each services}}{{lookup this "image"}}{{/each}}{{/each}}\n',
    };
    expect(render(planOf({ image: 'x\n    privileged: true' }), { templates: unsafe }).problems[0]?.code).toBe(
      'MESH1019',
    );
  });

  it('is refused when it does not fit the schema of compose', () => {
    const { problems } = render(withContainer(planOf({}), { misspelt: 1 }));
    expect(problems).toMatchObject([{ code: 'MESH1019', path: 'services.api-1.0-1' }]);
  });
});
