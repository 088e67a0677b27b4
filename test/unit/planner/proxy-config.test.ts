/** ProxyConfigs, seen in what is planned and rendered. */
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { NodePlan } from '../../../src/model/node-plan.js';
import { renderNode } from '../../../src/planner/render.js';
import { readTemplates } from '../../../src/planner/templates.js';
import { smallWorld } from '../../support/small-world.js';
import { planWorld, worldOf } from '../../support/worlds.js';

const world = smallWorld({
  nodes: [{ name: 'a' }],
  services: [{ name: 'api', spec: { stable: 'v1' } }],
  deploy: [{ service: 'api', version: 'v1', instances: 1 }],
});

function config(name: string, spec: string): string {
  const [own, namespace = 'default'] = name.split('.');
  return `apiVersion: networking.istio.io/v1beta1\nkind: ProxyConfig\nmetadata: { name: ${own}, namespace: ${namespace} }\nspec: ${spec}`;
}

const plan = (last: readonly NodePlan[], ...configs: readonly string[]) =>
  planWorld(worldOf([world, ...configs].join('\n---\n')), last);

interface Sidecar {
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

function sidecarOf(...configs: readonly string[]): Sidecar {
  const [planned] = plan([], ...configs).plans;
  if (planned === undefined) throw new Error('nothing was planned');
  const { files, problems } = renderNode({ plan: planned, templates: readTemplates(), storeEndpoints: [] });
  expect(problems).toEqual([]);
  const text = files.find((file) => file.path.endsWith('docker-compose.yml'))?.text ?? '';
  const { services } = parse(text) as { services: Readonly<Record<string, Sidecar>> };
  return services['api-v1-1-sidecar'] as Sidecar;
}

const threads = ({ command }: Sidecar): string | undefined =>
  command.includes('--concurrency') ? command[command.indexOf('--concurrency') + 1] : undefined;

describe('a ProxyConfig', () => {
  it('says how many threads a sidecar has; 0 leaves it to Envoy', () => {
    expect(threads(sidecarOf())).toBe('1');
    expect(threads(sidecarOf(config('c', '{ concurrency: 3 }')))).toBe('3');
    expect(threads(sidecarOf(config('c', '{ concurrency: 0 }')))).toBeUndefined();
  });

  it('gives the sidecar an environment, and none where nobody says so', () => {
    expect(sidecarOf(config('c', '{ environmentVariables: { COLOR: "te$al" } }')).environment).toEqual({
      COLOR: 'te$$al',
    });
    expect(sidecarOf()).not.toHaveProperty('environment');
  });

  it('of the mesh, of the namespace and of the instance are laid over each other', () => {
    const sidecar = sidecarOf(
      config('root.istio-system', '{ concurrency: 2, environmentVariables: { A: root, B: root, C: root } }'),
      config('ns', '{ environmentVariables: { B: ns, C: ns } }'),
      config('own', '{ selector: { matchLabels: { app: api } }, environmentVariables: { C: own } }'),
      config('other', '{ selector: { matchLabels: { app: web } }, concurrency: 9 }'),
      config('elsewhere.shop', '{ concurrency: 8 }'),
    );
    expect(threads(sidecar)).toBe('2');
    expect(sidecar.environment).toEqual({ A: 'root', B: 'ns', C: 'own' });
  });

  it('makes new instances, and the plan says why; one for others changes nothing', () => {
    const { plans } = plan([]);
    expect(plan(plans, config('c', '{ concurrency: 3, environmentVariables: { COLOR: teal } }')).steps).toMatchObject([
      { action: 'change', reasons: ['sidecar concurrency 1 -> 3', 'sidecar environment COLOR added'] },
    ]);
    expect(plan(plans, config('c', '{ selector: { matchLabels: { app: web } }, concurrency: 3 }')).steps).toEqual([]);
  });

  it('that says nothing is told', () => {
    const { problems } = worldOf([world, config('c', '{}')].join('\n---\n'));
    expect(problems.map(({ severity, message }) => `${severity}: ${message}`)).toEqual(['warning: it says nothing']);
  });
});
