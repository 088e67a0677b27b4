import { describe, expect, it } from 'vitest';
import { checkDefinitions } from '../../../src/model/check.js';
import { indexDefinitions } from '../../../src/model/definition.js';
import { meshKinds } from '../../../src/model/kinds.js';
import { parseDefinitions } from '../../../src/model/parse.js';
import type { Problem } from '../../../src/model/problem.js';

const parse = (text: string) => parseDefinitions([{ name: 'w.yaml', text }], meshKinds);
const place = (p: Problem): string => `${p.file}:${p.line}:${p.column} ${p.code}`;

/** Problems of a text on its own: those of parsing, then those of references. */
function problemsOf(text: string): readonly Problem[] {
  const { definitions, problems } = parse(text);
  return [...problems, ...checkDefinitions(new Map(), indexDefinitions(definitions), meshKinds)];
}

const service = (spec: string): string => `apiVersion: mesh/v1
kind: Service
metadata: { name: reviews }
spec: { ${spec} }
`;

describe('parseDefinitions', () => {
  it('fills defaults in the spec and keeps the document as written', () => {
    const [definition] = parse(service('port: 9080')).definitions;
    expect(definition?.spec).toMatchObject({ port: 9080, upstreams: [], gateway: false });
    expect(definition?.document.spec).toEqual({ port: 9080 });
    expect(definition?.namespace).toBe('default');
  });

  it('shows every mistake of a file, each at its place', () => {
    const { problems, definitions } = parse(`apiVersion: mesh/v1
kind: Service
metadata: { name: reviews }
spec:
  protocl: http
  port: 99999
  upstreams: [{ service: x, proxyPort: hello }]
`);
    expect(definitions).toEqual([]);
    expect(problems.map(place)).toEqual(['w.yaml:5:3 MESH1003', 'w.yaml:6:9 MESH1011', 'w.yaml:7:40 MESH1004']);
    expect(problems[0]?.hint).toBe('did you mean "protocol"?');
    expect(problems[2]?.message).toBe('proxyPort must be auto or a number, found "hello"');
  });

  it.each([
    [
      'an unknown kind',
      'apiVersion: mesh/v1\nkind: Srvice\nmetadata: { name: a }\n',
      'w.yaml:2:7 MESH1007',
      'did you mean "Service"?',
    ],
    [
      'an unknown apiVersion',
      'apiVersion: mesh/v2\nkind: Service\nmetadata: { name: a }\nspec: { port: 1 }\n',
      'w.yaml:1:13 MESH1007',
      'write mesh/v1',
    ],
    [
      'a bad name',
      'apiVersion: mesh/v1\nkind: Service\nmetadata: { name: Reviews }\nspec: { port: 1 }\n',
      'w.yaml:3:19 MESH1008',
      undefined,
    ],
    ['a duplicate key', service('port: 1, port: 2'), 'w.yaml:4:18 MESH1015', 'keep one of them'],
    ['a tab as indentation', 'kind: x\n\tspec: 1\n', 'w.yaml:2:1 MESH1001', undefined],
    ['an empty file', '# nothing\n', 'w.yaml:1:1 MESH1002', undefined],
    ['a list', '- a\n', 'w.yaml:1:1 MESH1004', undefined],
    [
      'a namespace where none belongs',
      'apiVersion: mesh/v1\nkind: Cluster\nmetadata: { name: a, namespace: b }\n',
      'w.yaml:3:22 MESH1003',
      'remove it',
    ],
  ])('refuses %s', (_what, text, where, hint) => {
    const [problem] = parse(text).problems;
    expect(problem && place(problem)).toBe(where);
    if (hint !== undefined) expect(problem?.hint).toContain(hint);
  });

  it.each([
    ['port: "80"', 'port must be a number, found "80"', 'write it without quotes: 80'],
    ['port: 80.5', 'port must be a whole number, found 80.5', 'write a whole number'],
    ['port: 80, stable: 1.0', 'stable must be a string, found 1', 'write it in quotes: "1"'],
    ['port: 80, upstreams: { service: a }', 'upstreams must be a list, found a map', 'lines that begin with "- "'],
    ['port: 80, upstreams: [a]', 'upstreams[0] must be a map, found "a"', 'lines of key: value'],
    ['ports: []', 'ports must have at least 1 entry, found 0', 'leave the key out'],
    ['port: 80, health: { tcp: false }', 'tcp must be true, found false', 'write true'],
    ['port: 80, health: { http: healthz }', 'http must not be "healthz"', 'a path begins with /'],
    ['port: 80, health: { http: /, interval: 5 s }', 'interval must not be "5 s"', 'a number with a unit: 250ms'],
    ['port: 80, health: {}', 'one of http (a path)', 'see `mesh explain service.spec.health`'],
    ['stable: v1', 'either ports, or port with protocol', 'see `mesh explain service.spec`'],
    ['port: 80, upstreams: [{ address: "a:1" }]', 'needs a name', 'see `mesh explain service.spec.upstreams`'],
  ])('says of { %s } what was found and what to write', (spec, message, hint) => {
    const [problem] = parse(service(spec)).problems;
    expect(problem?.message).toContain(message);
    expect(problem?.hint).toContain(hint);
  });

  it('refuses a second object of the same name and says where the first is', () => {
    const { problems } = parse(`${service('port: 1')}---\n${service('port: 2')}`);
    expect(problems.map(place)).toEqual(['w.yaml:8:19 MESH1009']);
    expect(problems[0]?.hint).toBe('the first is at w.yaml:3:19');
  });

  it('survives an alias bomb and deep nesting with a problem each', () => {
    const deep = `${'{a: '.repeat(60)}1${'}'.repeat(60)}`;
    expect(parse(deep).problems.map((p) => p.code)).toEqual(['MESH1014']);
    const bomb =
      'a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c]\n';
    expect(parse(bomb).problems.map((p) => p.code)).toEqual(['MESH1014']);
  });

  it('reads twenty thousand keys in one map without stalling', () => {
    const text = `a:\n${Array.from({ length: 20_000 }, (_, i) => `  k${i}: v`).join('\n')}\n`;
    expect(parse(text).problems.length).toBeGreaterThan(0);
  });
});

describe('checkDefinitions', () => {
  it('refuses a linger that would remove the first of many before the last is missed', () => {
    const mesh = (linger: string): string =>
      `apiVersion: mesh/v1\nkind: Mesh\nmetadata: { name: mesh }\nspec: { leaseTtl: 10s, eviction: { linger: ${linger} } }\n`;
    expect(problemsOf(mesh('9s'))).toMatchObject([{ code: 'MESH1005', hint: expect.stringContaining('at least 10s') }]);
    expect(problemsOf(mesh('10s'))).toEqual([]);
  });

  it.each([
    [
      'an upstream that does not exist',
      service('port: 1, upstreams: [{ service: ratngs }]'),
      'MESH1010',
      'Service "ratngs" does not exist',
    ],
    [
      'two ports with one number',
      service('ports: [{ name: a, port: 1, protocol: http }, { name: b, port: 1, protocol: http }]'),
      'MESH1012',
      'port 1 is taken by spec.ports[0]',
    ],
    [
      'two upstreams on one proxy port',
      service(
        'port: 1, upstreams: [{ service: reviews, proxyPort: 29080 }, { name: r2, service: reviews, proxyPort: 29080 }]',
      ),
      'MESH1012',
      'proxyPort 29080 is taken by upstream "reviews"',
    ],
    [
      'a node in a cluster that does not exist',
      'apiVersion: mesh/v1\nkind: Node\nmetadata: { name: a }\nspec: { address: 10.0.0.1, cluster: nope }\n',
      'MESH1010',
      'Cluster "nope" does not exist',
    ],
    [
      'weights that do not sum to 100',
      `${service('port: 1')}---
apiVersion: mesh/v1
kind: Version
metadata: { name: reviews-v1 }
spec: { service: reviews, version: v1, container: { image: x } }
---
apiVersion: mesh/v1
kind: Route
metadata: { name: reviews }
spec: { service: reviews, rules: [{ split: [{ version: v1, weight: 99.5 }] }] }
`,
      'MESH1011',
      'the weights sum to 99.5, not 100',
    ],
  ])('refuses %s', (_what, text, code, message) => {
    expect(problemsOf(text).map((p) => [p.code, p.message])).toEqual([[code, message]]);
  });

  it('does not hold an old problem against a new change', () => {
    const stored = parse(service('port: 1, upstreams: [{ service: gone }]')).definitions.map((d) => ({
      ...d,
      origin: undefined,
    }));
    const fresh = parse('apiVersion: mesh/v1\nkind: Cluster\nmetadata: { name: a }\n').definitions;
    const before = indexDefinitions(stored);
    expect(checkDefinitions(before, indexDefinitions([...stored, ...fresh]), meshKinds)).toEqual([]);
  });

  it('shows what a deletion leaves dangling', () => {
    const all = parse(`${service('port: 1')}---
apiVersion: mesh/v1
kind: Version
metadata: { name: reviews-v1 }
spec: { service: reviews, version: v1, container: { image: x } }
`).definitions.map((d) => ({ ...d, origin: undefined }));
    const after = all.filter((d) => d.kind !== 'Service');
    const problems = checkDefinitions(indexDefinitions(all), indexDefinitions(after), meshKinds);
    expect(problems.map((p) => p.message)).toEqual(['Service "reviews" does not exist']);
  });
});
