/** By which names a host is called, in the cases of Istio's own tests (fixtures/conformance/istio/golden/vhost-domains.jsonl). */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { translate } from '../../../src/pilot/translate/index.js';
import { unseenMutants } from '../../support/golden.js';
import { proxy, uncheckedWorld } from '../../support/mesh-world.js';

interface Row {
  readonly hostname: string;
  readonly port: number;
  /** 0 stands for Istio's http_proxy listener, where ports are a part of the names. */
  readonly listenerPort: number;
  readonly proxyDomain: string;
  readonly addresses: readonly string[] | null;
  readonly aliases: readonly string[];
  readonly domains: readonly string[];
  readonly resolution: string;
}

const file = path.resolve(import.meta.dirname, '../../../fixtures/conformance/istio/golden/vhost-domains.jsonl');
const rows = readFileSync(file, 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line) as Row);

/** What cannot be said here, each with its reason. */
const leftOut: readonly { readonly why: string; readonly is: (row: Row) => boolean }[] = [
  {
    why: 'a caller is always in NAMESPACE.svc.DOMAIN',
    is: ({ proxyDomain }) => !/^[a-z-]+\.svc\..+$/.test(proxyDomain),
  },
  { why: "aliases are Kubernetes' ExternalName", is: ({ aliases }) => aliases.length > 0 },
  {
    why: "names of single instances are Kubernetes' headless services",
    is: ({ domains }) => domains.some((d) => d.startsWith('*.')),
  },
];

/** The dot of an absolute name is taken off by the listener, and our one listener knows each name with its port as well. */
function compared(domains: readonly string[]): readonly string[] {
  return [
    ...new Set(domains.filter((domain) => !/\.(:\d+)?$/.test(domain) && !/:\d+$/.test(domain.replace(/^\[.*\]/, '')))),
  ].toSorted();
}

function domainsHere({ hostname, port, proxyDomain, addresses }: Row): readonly string[] {
  const [namespace = '', , ...domain] = proxyDomain.split('.');
  const documents = [
    { apiVersion: 'mesh/v1', kind: 'Mesh', metadata: { name: 'mesh' }, spec: { domain: domain.join('.') } },
    {
      apiVersion: 'networking.istio.io/v1',
      kind: 'ServiceEntry',
      metadata: { name: 'one', namespace: 'elsewhere' },
      spec: {
        hosts: [hostname],
        addresses: addresses ?? [],
        ports: [{ number: port, name: 'http', protocol: 'HTTP' }],
        resolution: 'STATIC',
      },
    },
  ];
  const snapshot = uncheckedWorld(documents.map((document) => JSON.stringify(document)).join('\n---\n'));
  const { routes } = translate(snapshot, proxy([], { namespace }));
  const host = routes.get('outbound')?.virtualHosts?.find(({ name }) => name === `${hostname.toLowerCase()}:${port}`);
  return host?.domains ?? [];
}

describe('the names of a host', () => {
  const judged = rows.filter((row) => !leftOut.some(({ is }) => is(row)));

  it('are most of the cases', () => {
    expect(judged.length).toBeGreaterThan(rows.length / 2);
    for (const { why, is } of leftOut) expect(rows.some(is), why).toBe(true);
  });

  it.each(judged.map((row) => [`${row.hostname} from ${row.proxyDomain}`, row] as const))('%s', (_name, row) => {
    const here = domainsHere(row);
    expect(normal(here, row.port)).toEqual({ bare: compared(row.domains), ported: compared(row.domains) });
  });

  it('would be seen to differ in every domain', () => {
    const named = judged.map((row, i) => [String(i), domainsHere(row)] as const);
    const { mutants, unseen } = unseenMutants(named, (here, i) => normal(here, (judged[Number(i)] as Row).port));
    expect(mutants).toBeGreaterThan(500);
    expect(unseen).toEqual([]);
  });
});

/** Every name stands there with the port, and without where a bare name means this port. */
function normal(here: readonly string[], port: number): object {
  const ported = here.filter((domain) => domain.endsWith(`:${port}`));
  return { bare: compared(here), ported: ported.map((domain) => domain.slice(0, -`:${port}`.length)).toSorted() };
}
