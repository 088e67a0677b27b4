/** The house rules that a compiler does not know. Each message says why, and what to do instead. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');
const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  // A file that was deleted and not yet committed is still in git's list.
  .filter((file) => file !== '' && existsSync(path.join(root, file)));
const sources = tracked.filter((file) => file.startsWith('src/') && file.endsWith('.ts'));
const text = (file: string): string => readFileSync(path.join(root, file), 'utf8');

/** Which houses each house may import (docs/architecture.md, "Directions"). */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  model: [],
  runtime: [],
  dsl: ['model'],
  // dsl: ProxyConfig, Istio's word for threads and environment of a sidecar.
  planner: ['model', 'dsl'],
  xds: ['runtime'],
  // xds: the forms of Envoy's resources, which it reads as Envoy does.
  resolve: ['model', 'xds'],
  store: ['model', 'runtime'],
  pilot: ['model', 'dsl', 'planner', 'runtime', 'store', 'xds'],
  // xds: it serves its sidecars' last good configuration when no pilot is left.
  agent: ['model', 'runtime', 'store', 'planner', 'xds'],
  client: ['model', 'runtime', 'store'],
  cli: ['model', 'dsl', 'planner', 'resolve', 'runtime', 'store', 'pilot', 'agent'],
};

/** Where each external package lives. One home each: replacing it touches one house. */
const homes: Readonly<Record<string, readonly string[]>> = {
  '@bufbuild/protobuf': ['src/xds/'],
  '@grpc/grpc-js': ['src/xds/', 'src/client/', 'src/store/embedded/'],
  '@grpc/proto-loader': ['src/store/embedded/'],
  '@hono/node-server': ['src/pilot/api/'],
  ajv: ['src/planner/'],
  cockatiel: ['src/store/'],
  commander: ['src/cli/'],
  diff: ['src/cli/'],
  dockerode: ['src/agent/'],
  etcd3: ['src/store/'],
  handlebars: ['src/planner/'],
  hono: ['src/pilot/api/'],
  pino: ['src/runtime/'],
  'prom-client': ['src/pilot/'],
  'string-width': ['src/cli/'],
  yaml: ['src/model/', 'src/planner/', 'src/cli/'],
  zod: ['src/model/', 'src/dsl/', 'src/pilot/api/', 'src/cli/'],
};

/** Files that decide: same input, same output, nobody asked for the time. */
const pure = (file: string): boolean =>
  /^src\/(model|dsl|planner|resolve)\//.test(file) ||
  file.startsWith('src/pilot/translate/') ||
  file.startsWith('src/pilot/release/next-') ||
  (file.startsWith('src/pilot/eviction/') && !file.endsWith('-loop.ts')) ||
  /^src\/(agent\/(next-steps|steps)|xds\/(subscription|resource-cache|resource-types))\.ts$/.test(file);

/** The one edge inside a pure house. */
const pureExceptions = new Set(['src/planner/templates.ts']);

const impurities: readonly [RegExp, string][] = [
  [/\bDate\.now\(|new Date\(\)|performance\.now\(|\bhrtime\b/, 'asks for the time: take it as a parameter'],
  [/\bset(Timeout|Interval|Immediate)\(/, 'starts a timer: return data and let the edge wait'],
  [
    /\bMath\.random\(|randomUUID\(|randomBytes\(|getRandomValues\(/,
    'draws at random: the same input must give the same bytes',
  ],
  [/\bprocess\.(env|cwd|exit|stdout|stderr)\b/, 'reads the process: take it as a parameter'],
  [/\bconsole\./, 'prints: return data'],
  [/from 'node:timers/, 'starts a timer: return data and let the edge wait'],
  [/from 'node:(fs|net|http|http2|https|child_process|dns|os)/, 'does I/O: act at the edge'],
];

interface Import {
  readonly file: string;
  readonly target: string;
  readonly typeOnly: boolean;
}

const imports: readonly Import[] = sources.flatMap((file) =>
  [
    ...text(file).matchAll(
      /(?:^|\n)\s*(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?'([^']+)'|import\('([^']+)'\)/g,
    ),
  ].map((match) => ({
    file,
    typeOnly: match[1] !== undefined,
    target: (match[2] ?? match[3]) as string,
  })),
);

const houseOf = (file: string): string => file.split('/')[1] as string;

describe('directions', () => {
  it('every house is known', () => {
    expect([...new Set(sources.map(houseOf))].filter((house) => !(house in mayImport))).toEqual([]);
  });

  it('no house imports one that it must not know', () => {
    const wrong = imports
      .filter(({ target }) => target.startsWith('.'))
      .map(({ file, target }) => ({ file, to: houseOf(path.join(path.dirname(file), target)) }))
      .filter(({ file, to }) => to !== houseOf(file) && !(mayImport[houseOf(file)] ?? []).includes(to));
    expect(
      wrong.map(
        ({ file, to }) => `${file} imports ${to}: news between them goes through the store (docs/architecture.md)`,
      ),
    ).toEqual([]);
  });

  it('the command line sees of pilot and agent only what an assembly offers', () => {
    const allowed = /^src\/(pilot\/(pilot|offline|api\/api)|agent\/(agent|docker))\.js$/;
    const wrong = imports
      .filter(({ file, target }) => file.startsWith('src/cli/') && target.startsWith('.'))
      .map(({ file, target }) => ({ file, to: path.join(path.dirname(file), target) }))
      .filter(({ to }) => /^src\/(pilot|agent)\//.test(to) && !allowed.test(to));
    expect(wrong.map(({ file, to }) => `${file} reaches into ${to}`)).toEqual([]);
  });

  it('every external package stays in its home', () => {
    const wrong = imports
      .filter(({ target }) => !target.startsWith('.') && !target.startsWith('node:'))
      .map(({ file, target }) => ({
        file,
        name: target.startsWith('@') ? target.split('/').slice(0, 2).join('/') : (target.split('/')[0] as string),
      }))
      .filter(({ file, name }) => !(homes[name] ?? []).some((home) => file.startsWith(home)));
    expect(
      wrong.map(
        ({ file, name }) =>
          `${file} imports ${name}, whose home is ${(homes[name] ?? ['not in the table']).join(', ')}`,
      ),
    ).toEqual([]);
  });
});

describe('purity', () => {
  it('what decides asks nobody', () => {
    const wrong = sources
      .filter((file) => pure(file) && !pureExceptions.has(file))
      .flatMap((file) => impurities.filter(([pattern]) => pattern.test(text(file))).map(([, why]) => `${file} ${why}`));
    expect(wrong).toEqual([]);
  });
});

describe('memory', () => {
  // On Node 20 a signal remembers every other that AbortSignal.any has made of it: see src/runtime/either-signal.ts.
  it('what runs for months waits for either of two signals with withEither', () => {
    const lasting = sources.filter((file) => !file.startsWith('src/cli/') && !file.endsWith('/either-signal.ts'));
    expect(lasting.filter((file) => /\bAbortSignal\.any\(/.test(text(file)))).toEqual([]);
  });
});

describe('what is committed', () => {
  const written = tracked.filter((file) => !/\.(png|ico|lock|sum)$/.test(file) && file !== 'test/unit/tidy.test.ts');
  const banned: readonly [RegExp, string][] = [
    [
      /\bregistry\.npmjs\.org|pypi\.org|proxy\.golang\.org|deb\.debian\.org|crates\.io|repo1?\.maven|docker\.io\/library/,
      'names a registry',
    ],
    [/(^|[\s"'`=(:])\/(work|root|home\/[a-z]+)\//m, 'names a path of one machine'],
    [/\/tmp\/w\//, 'names a path of one machine'],
    [/"resolved": *"http/, 'names a download address'],
  ];

  it('names no registry host and no path of one machine', () => {
    const wrong = written.flatMap((file) =>
      banned.filter(([pattern]) => pattern.test(text(file))).map(([, why]) => `${file} ${why}`),
    );
    expect(wrong).toEqual([]);
  });

  it('leaves no marker behind', () => {
    const markers =
      /\b(TODO|FIXME|XXX|HACK)\b|\b(it|test|describe)\.(skip|only|todo)\b|\bas any\b|@ts-(ignore|expect-error)/;
    const code = written.filter((file) => /^(src|test|scripts|fixtures)\/.*\.(ts|mjs)$/.test(file));
    expect(code.filter((file) => markers.test(text(file)))).toEqual([]);
  });

  it('unit and feature tests wait for facts, never for time', () => {
    const waiting = tracked.filter(
      (file) =>
        /^test\/(unit|features)\//.test(file) &&
        file !== 'test/unit/tidy.test.ts' &&
        /\bsetTimeout\(|\bsleep\(\d|'node:timers/.test(text(file)),
    );
    expect(waiting).toEqual([]);
  });
});
