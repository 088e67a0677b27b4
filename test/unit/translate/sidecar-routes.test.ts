/** Which virtual hosts a proxy has, and where they lead, in 30 cases of Istio's own simulation (fixtures/conformance/istio). */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { translate } from '../../../src/pilot/translate/index.js';
import { proxy, uncheckedWorld } from '../../support/mesh-world.js';

interface Case {
  readonly name: string;
  readonly proxyNamespace: string;
  readonly routeName: string;
  readonly virtualServices: readonly {
    readonly namespace: string;
    readonly match?: string;
    readonly matches?: readonly string[];
    readonly dest: string;
    readonly Port?: number;
    readonly PortMatch?: number;
    readonly age: 'older' | 'base' | 'newer';
  }[];
  readonly sidecars: readonly { readonly namespace: string; readonly egressHosts: readonly string[] }[];
  readonly expect: Readonly<Record<string, readonly string[] | null>> | null;
}

interface Material {
  readonly services: readonly {
    readonly host: string;
    readonly namespace: string;
    readonly vip: string;
    readonly ports: readonly { readonly port: number; readonly protocol: string }[];
  }[];
  readonly cases: readonly Case[];
}

const file = path.resolve(import.meta.dirname, '../../../fixtures/conformance/istio/sidecar-routes.json');
const material = JSON.parse(readFileSync(file, 'utf8')) as Material;

/** Where we differ on purpose. */
const differences: Readonly<Record<string, string>> = {
  'explicit first then wildcard with sidecar cross namespace':
    'a Sidecar chooses hosts: the rules of a host are those that are exported to the caller, wherever they stand',
  'sidecar filter': 'a wildcard that covers services stands for these, whether the proxy sees them or not',
  'multi-host import single':
    'a known bug of Istio: a Sidecar that imports one host of a VirtualService gets all of them',
  'import only a unknown service route':
    'Istio makes no route table for a port that no service has; we have one for all ports',
};

function yamlOf({ virtualServices, sidecars }: Case): string {
  const networking = 'networking.istio.io/v1';
  const entries = material.services.map(({ host, namespace, vip, ports }, i) => ({
    apiVersion: networking,
    kind: 'ServiceEntry',
    metadata: { name: `s${i}`, namespace },
    spec: {
      hosts: [host],
      addresses: [vip],
      resolution: 'STATIC',
      ports: ports.map(({ port, protocol }) => ({ number: port, protocol, name: `p${port}` })),
    },
  }));
  const rules = virtualServices.map(({ namespace, match, matches, dest, Port, PortMatch, age }, i) => ({
    apiVersion: networking,
    kind: 'VirtualService',
    // Nothing tells ages here; names do what ages do there.
    metadata: { name: `${{ older: 'a', base: 'b', newer: 'c' }[age]}${i}`, namespace },
    spec: {
      hosts: matches ?? [match],
      http: [
        {
          ...(PortMatch === undefined ? {} : { match: [{ port: PortMatch }] }),
          route: [{ destination: { host: dest, ...(Port === undefined ? {} : { port: { number: Port } }) } }],
        },
      ],
    },
  }));
  const scopes = sidecars.map(({ namespace, egressHosts }, i) => ({
    apiVersion: networking,
    kind: 'Sidecar',
    metadata: { name: `s${i}`, namespace },
    spec: { egress: [{ hosts: egressHosts }] },
  }));
  return [...entries, ...rules, ...scopes].map((document) => JSON.stringify(document)).join('\n---\n');
}

/** By host: the clusters that its requests go to, or null without it. A destination that does not exist has another prefix here. */
function found(one: Case): Case['expect'] {
  const resources = translate(uncheckedWorld(yamlOf(one)), proxy([], { namespace: one.proxyNamespace }));
  const hosts = resources.routes.get('outbound')?.virtualHosts ?? [];
  return Object.fromEntries(
    Object.keys(one.expect ?? {}).map((host) => {
      const virtualHost = hosts.find(({ name }) => name === `${host}:${one.routeName}`);
      const clusters = (virtualHost?.routes ?? [])
        .filter(({ name }) => name !== 'connect')
        .map(({ route }) => (route?.cluster ?? '').replace(/^missing/, 'outbound'));
      return [host, virtualHost === undefined ? null : clusters];
    }),
  );
}

describe('the virtual hosts of a proxy', () => {
  it.each(material.cases.filter(({ name }) => !(name in differences)))('$name', (one) => {
    expect(found(one)).toEqual(one.expect);
  });

  it.each(Object.entries(differences))('are others where we want it so: %s', (name) => {
    const one = material.cases.find((candidate) => candidate.name === name) as Case;
    expect(found(one)).not.toEqual(one.expect);
  });
});
