/** Istio's own composition of PeerAuthentications as data, 38 cases: the mode of a workload, and those of its ports. */
import { describe, expect, it } from 'vitest';
import { peerAuthenticationKind } from '../../../src/dsl/peer-authentication.js';
import { composePeerModes, type PeerModes } from '../../../src/dsl/peer-modes.js';
import type { Definition } from '../../../src/model/definition.js';
import { goldenCases, unseenMutants } from '../../support/golden.js';

interface GoldenCase {
  readonly rootNamespace: string;
  /** All of them select the workload. `created`: in seconds. */
  readonly policies: readonly { readonly namespace: string; readonly name: string; created: number; spec: object }[];
  readonly mode: string;
  readonly perPort: Readonly<Record<string, string>>;
}

const cases = goldenCases<GoldenCase>('peerauth-compose.jsonl');

function ourModes({ policies, rootNamespace }: GoldenCase): PeerModes {
  const definitions = policies.map(({ namespace, name, created, spec }) => {
    const metadata = { name, namespace, creationTimestamp: new Date(created * 1000).toISOString() };
    const kind = peerAuthenticationKind.kind;
    return {
      kind,
      namespace,
      name,
      spec: peerAuthenticationKind.schema.parse(spec),
      document: { apiVersion: 'security.istio.io/v1', kind, metadata, spec },
    } as Definition<ReturnType<typeof peerAuthenticationKind.schema.parse>>;
  });
  return composePeerModes(definitions, rootNamespace);
}

/** Where nobody says anything, Istio says PERMISSIVE; we say that nobody has said anything (decision 0030). Nothing else differs. */
function asIstioSays({ mode = 'PERMISSIVE', perPort }: PeerModes): object {
  const ports = Object.entries(perPort).map(([port, one = 'PERMISSIVE']) => [port, one]);
  return { mode, perPort: Object.fromEntries(ports) as object };
}

describe("Istio's composition of PeerAuthentications", () => {
  it('is there with 38 cases', () => {
    expect(cases).toHaveLength(38);
  });

  it.each(cases.map((one, i) => [i + 1, one] as const))('case %i', (_line, one) => {
    expect(asIstioSays(ourModes(one))).toEqual({ mode: one.mode, perPort: one.perPort });
  });

  it('would be seen to differ in every field', () => {
    const ours = cases.map((one, i) => [`case ${i + 1}`, asIstioSays(ourModes(one))] as const);
    const { mutants, unseen } = unseenMutants(ours, (modes) => modes);
    expect(mutants).toBeGreaterThan(80);
    expect(unseen).toEqual([]);
  });
});
