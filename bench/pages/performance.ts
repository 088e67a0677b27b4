/** `docs/performance.md`, made from what the benches have measured. */
import { readFileSync } from 'node:fs';
import path from 'node:path';

const results = path.resolve(import.meta.dirname, '../results');

interface Machine {
  readonly cores: number;
  readonly memoryGiB: number;
  readonly node: string;
  readonly etcd: string;
  readonly load: { readonly before: number; readonly after: number };
}

interface Change {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuSeconds: number;
  readonly bytesPerProxy: number;
}

interface Measured {
  readonly cold: { readonly p99Ms: number; readonly cpuSeconds: number; readonly kBPerProxy: number };
  readonly route: Change;
  readonly endpoint: Change;
  readonly reconnect: { readonly bytesPerProxy: number; readonly cpuSeconds: number };
  readonly idleCpuPercent: number;
  readonly memoryMiB: { readonly rest: number; readonly peak: number };
}

/** By case, such as `100x10x200`. */
type XdsResult = Readonly<Record<string, XdsCase>>;

interface XdsCase {
  readonly rounds: number;
  readonly at: string;
  readonly machine: Machine;
  readonly servers: Readonly<Record<string, Measured>>;
}

interface RegistryResult {
  readonly instances: number;
  readonly agents: number;
  readonly steadyCpuPercent: Readonly<Record<'pilot' | 'etcd' | 'together' | 'etcdWithoutPilot', number>>;
  readonly changeMs: Readonly<Record<'toProxy' | 'toBareWatcher', { readonly p50: number; readonly p99: number }>>;
  readonly residentMiB: { readonly pilot: number; readonly etcd: number };
  readonly at: string;
  readonly machine: Machine;
}

interface Cost {
  readonly kBPerProxy: number;
  readonly coldCpuMsPerProxy: number;
  readonly memoryKiBPerProxy: number;
  readonly changeCpuMsPerProxy: number;
}

interface ChurnResult {
  readonly storm: {
    readonly changes: number;
    readonly seconds: number;
    readonly pushesPerProxy: number;
    readonly lastValueMs: { readonly p50: number; readonly p99: number };
  };
  readonly idle: { readonly cpuPercent: number };
  readonly growth: { readonly small: Cost; readonly large: Cost; readonly ratio: Readonly<Record<string, number>> };
  readonly at: string;
  readonly machine: Machine;
}

const NOTE = '<!-- Made by `npm run docs` from bench/results. Run the benches, do not change this page. -->\n';

export function performancePage(): string {
  return `${NOTE}# Performance

Ratios count, not the figures: each run measures a reference beside us, on the same machine, in turn. What changes is written to a real etcd through the pilot's API,
and translated; the time runs from the commit, as a bare watcher of the store sees it, to the moment a proxy has the whole message.

${xdsSection()}
${churnSection(read<ChurnResult>('churn.json'))}
${registrySection(read<RegistryResult>('registry.json'))}`;
}

function read<Result>(name: string): Result {
  return JSON.parse(readFileSync(path.join(results, name), 'utf8')) as Result; // as the bench of this name writes it
}

function xdsSection(): string {
  const byMode = modes.map(([mode, file]) => {
    const tables = Object.entries(read<XdsResult>(file)).map(([name, { rounds, at, machine, servers }]) => {
      const rows = Object.entries(servers).map(([server, measured]) => row([server, ...cells(measured)]));
      const how = `\`npm run bench -- xds ${name}\`, ${mode}; median of ${rounds} changes; ${on(machine, at)}.`;
      return `### ${shapeOf(name)}, ${mode}\n\n${how}\n\n${row(columns)}${row(columns.map(() => '---'))}${rows.join('')}`;
    });
    return tables.join('\n');
  });
  return `## Configuration over xDS

\`raw\` sends prepared bytes and is what the machine can do; go-control-plane holds a ready snapshot. Neither of them translates, has a store, or sends what a sidecar of ours needs
besides routes to services (tunnels, retries, ejection: about twice the bytes).

${goalsTable(read<XdsResult>('xds-delta.json'))}
${byMode.join('\n')}`;
}

const modes = [
  ['delta', 'xds-delta.json'],
  ['state of the world', 'xds-sotw.json'],
] as const;

interface Goal {
  readonly what: string;
  readonly most: number;
  readonly unit: string;
  readonly of: (measured: Measured) => number;
}

/** What this project has set itself, for this machine. */
const goals: Readonly<Record<string, readonly Goal[]>> = {
  '100x10x200': [
    { what: 'endpoint change at all, p99', most: 30, unit: 'ms', of: ({ endpoint }) => endpoint.p99Ms },
    { what: 'weight change at all, p99', most: 40, unit: 'ms', of: ({ route }) => route.p99Ms },
    { what: 'all proxies cold', most: 600, unit: 'ms', of: ({ cold }) => cold.p99Ms },
    { what: 'all proxies cold, CPU', most: 0.6, unit: 's', of: ({ cold }) => cold.cpuSeconds },
  ],
  '1000x2x1000': [
    { what: 'endpoint change at all, p99', most: 80, unit: 'ms', of: ({ endpoint }) => endpoint.p99Ms },
    { what: 'endpoint change, CPU', most: 0.08, unit: 's', of: ({ endpoint }) => endpoint.cpuSeconds },
    { what: 'weight change at all, p99', most: 350, unit: 'ms', of: ({ route }) => route.p99Ms },
    { what: 'all proxies cold', most: 7000, unit: 'ms', of: ({ cold }) => cold.p99Ms },
    { what: 'memory at rest', most: 450, unit: 'MiB', of: ({ memoryMiB }) => memoryMiB.rest },
    { what: 'memory at its peak', most: 600, unit: 'MiB', of: ({ memoryMiB }) => memoryMiB.peak },
    { what: 'all reconnect, per proxy', most: 300, unit: 'B', of: ({ reconnect }) => reconnect.bytesPerProxy },
    { what: 'all reconnect, CPU', most: 2, unit: 's', of: ({ reconnect }) => reconnect.cpuSeconds },
  ],
  '1000x2x5000': [
    { what: 'endpoint change at all it concerns, p99', most: 250, unit: 'ms', of: ({ endpoint }) => endpoint.p99Ms },
    { what: 'weight change at all it concerns, p99', most: 250, unit: 'ms', of: ({ route }) => route.p99Ms },
  ],
};

function goalsTable(results: XdsResult): string {
  const rows = Object.entries(goals).flatMap(([name, list]) => {
    const ours = results[name]?.servers['ours'];
    return list.map(({ what, most, unit, of }) => {
      const measured = ours === undefined ? undefined : of(ours);
      const verdict = measured === undefined ? 'not measured' : `${measured} ${unit}`;
      return row([
        shapeOf(name),
        what,
        `${most} ${unit}`,
        verdict,
        measured !== undefined && measured <= most ? '✔' : '✘',
      ]);
    });
  });
  return `${row(['mesh', 'what', 'goal', 'measured', ''])}${row(['---', '---', '---', '---', '---'])}${rows.join('')}`;
}

const columns = [
  'server',
  'all proxies cold: p99 ms, CPU s',
  'kB per proxy',
  'weight: p50, p99 ms, CPU s',
  'B per proxy',
  'endpoint: p50, p99 ms, CPU s',
  'B per proxy',
  'all reconnect: B per proxy, CPU s',
  'idle CPU %',
  'MiB at rest, peak',
];

function cells({ cold, route, endpoint, reconnect, idleCpuPercent, memoryMiB }: Measured): readonly string[] {
  const change = ({ p50Ms, p99Ms, cpuSeconds }: Change): string => `${p50Ms}, ${p99Ms}, ${cpuSeconds}`;
  return [
    `${cold.p99Ms}, ${cold.cpuSeconds}`,
    String(cold.kBPerProxy),
    change(route),
    String(route.bytesPerProxy),
    change(endpoint),
    String(endpoint.bytesPerProxy),
    `${reconnect.bytesPerProxy}, ${reconnect.cpuSeconds}`,
    String(idleCpuPercent),
    `${memoryMiB.rest}, ${memoryMiB.peak}`,
  ];
}

function shapeOf(name: string): string {
  const [services, endpoints, proxies] = name.split('x');
  return `${services} services of ${endpoints} instances, ${proxies} proxies`;
}

function churnSection({ storm, idle, growth, at, machine }: ChurnResult): string {
  const cost = ({ kBPerProxy, coldCpuMsPerProxy, memoryKiBPerProxy, changeCpuMsPerProxy }: Cost): string =>
    `${kBPerProxy} kB sent, ${coldCpuMsPerProxy} ms of CPU, ${memoryKiBPerProxy} KiB of memory; ${changeCpuMsPerProxy} ms of CPU for a change`;
  const ratios = Object.entries(growth.ratio).map(([what, ratio]) => `${what} ${ratio}`);
  return `## A busy, a quiet and a growing mesh

\`npm run bench -- churn\`; ${on(machine, at)}.

| | |
| --- | --- |
| ${storm.changes} changes of one service in ${storm.seconds} s, 200 proxies | ${storm.pushesPerProxy} pushes per proxy; the last value is everywhere p50 ${storm.lastValueMs.p50} ms, p99 ${storm.lastValueMs.p99} ms after its commit |
| nothing changes, 200 proxies | ${idle.cpuPercent} % of a core |
| a proxy with 10 upstreams among 100 services | ${cost(growth.small)} |
| the same among 1000 services | ${cost(growth.large)} |
| ratio | ${ratios.join(', ')} |
`;
}

function registrySection({
  instances,
  agents,
  steadyCpuPercent,
  changeMs,
  residentMiB,
  at,
  machine,
}: RegistryResult): string {
  const { toProxy, toBareWatcher } = changeMs;
  return `## The registry

\`npm run bench -- registry\`; ${instances.toLocaleString('en')} instances registered by ${agents} agents, ${on(machine, at)}.

| | |
| --- | --- |
| while nothing happens, percent of a core | pilot ${steadyCpuPercent.pilot}, etcd ${steadyCpuPercent.etcd}, together ${steadyCpuPercent.together} (etcd without a pilot ${steadyCpuPercent.etcdWithoutPilot}) |
| one instance's change at a subscribed proxy | p50 ${toProxy.p50} ms, p99 ${toProxy.p99} ms (a bare watcher: ${toBareWatcher.p50} and ${toBareWatcher.p99}) |
| resident | pilot ${residentMiB.pilot} MiB, etcd ${residentMiB.etcd} MiB |
`;
}

function on({ cores, memoryGiB, node, etcd, load }: Machine, at: string): string {
  return `${at.slice(0, 10)} on ${cores} cores, ${memoryGiB} GiB, Node ${node.slice(1)}, etcd ${etcd}, load ${load.before} before`;
}

function row(texts: readonly string[]): string {
  return `| ${texts.join(' | ')} |\n`;
}
