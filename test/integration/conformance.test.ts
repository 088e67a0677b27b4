/** Goal: rules mean here what they mean at Istio: 116 cases that were measured there, through a pilot and a real Envoy. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { runConformance } from '../support/conformance/run.js';
import { isEnvoyMissing } from '../support/envoy.js';

describe.skipIf(isEnvoyMissing())('what a real Istio did', () => {
  test('every case passes or deviates as it says', async () => {
    const results = await runConformance({});
    expect(results.filter(({ passed }) => !passed)).toEqual([]);
  });
  test('cases, base, files and deviations of others are played as well, and what differs from them fails', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'lightmesh-cases-'));
    const write = (name: string, content: string | object): string => {
      const file = path.join(folder, name);
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
      return file;
    };
    write('rules/second.yaml', rules('{ route: [{ destination: { host: alpha, subset: v2 } }] }'));
    const request = { url: 'http://alpha:8000/' };
    const all = (version: string) => ({ request, n: 3, exact: { [`200 alpha/${version}`]: 3 } });
    try {
      const results = await runConformance({
        base: write('base.yaml', foreignBase),
        filesRoot: folder,
        cases: write('cases.json', [
          { name: 'by-file', files: ['rules/second.yaml'], probes: [all('v2')] },
          { name: 'the-one-before-is-gone', probes: [{ request, n: 20, anyOf: ['200 alpha/v1', '200 alpha/v2'] }] },
          { name: 'refused', inline: ['kind: Nothing'], probes: [{ refused: 'no such kind' }] },
          { name: 'deviates', files: ['rules/second.yaml'], probes: [all('v1')] },
          { name: 'fails', files: ['rules/second.yaml'], probes: [all('v1')] },
          { name: 'fails-by-refusal', inline: ['kind: Nothing'], probes: [all('v1')] },
          { name: 'fails-by-no-refusal', files: ['rules/second.yaml'], probes: [{ refused: 'it is not' }] },
        ]),
        deviations: write('deviations.json', [
          { case: 'deviates', probe: 0, reason: 'to see it', seen: { exact: { '200 alpha/v2': 3 } } },
        ]),
      });
      expect(results.filter(({ passed }) => passed).map(({ name }) => name)).toEqual([
        'by-file',
        'the-one-before-is-gone',
        'refused',
        'deviates',
      ]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

const foreignBase = `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: alpha }
spec:
  hosts: [alpha.default.svc.cluster.local]
  ports: [{ number: 8000, name: http, protocol: HTTP }]
  resolution: STATIC
  endpoints:
    - { address: 127.32.0.1, labels: { app: alpha, version: v1 } }
    - { address: 127.32.0.2, labels: { app: alpha, version: v2 } }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: alpha }
spec: { host: alpha, subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }] }
`;

function rules(http: string): string {
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: alpha }
spec: { hosts: [alpha], http: [${http}] }
`;
}
