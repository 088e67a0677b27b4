/** A pilot on the embedded store, a real Envoy as sidecar of productpage v1, the backends; each case on top of the base, one by one. */
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { AckWaitResponse, ApplyResponse, List, ProxyItem } from '../../../src/model/api.js';
import { bootstrap, PILOTS_FILE, proxyMetadata } from '../../../src/planner/bootstrap.js';
import { pilotsFile } from '../../../src/planner/pilots-file.js';
import { createLogger } from '../../../src/runtime/logger.js';
import { startEnvoy } from '../envoy.js';
import { freePort, root, temporaryFolder } from '../mesh-process.js';
import { nodePlan, plannedInstance } from '../node-plans.js';
import { openPilotHouse, type PilotHouse } from '../pilot-house.js';
import { until } from '../until.js';
import { type Backends, startBackends } from './backends.js';
import { type ConformanceCase, type Deviation, type Probe, readCases, readDeviations, sourcesOf } from './cases.js';
import { copiesOf, differences, type Measured } from './compare.js';
import { sendProbe } from './probe.js';

const PROXY = { address: '127.10.1.1', instance: 'productpage-v1-1', region: 'r1', zone: 'z1' };
const ACK_WAIT_MS = 10_000;
const material = path.join(root, 'fixtures/conformance/istio');

export interface ConformanceOptions {
  readonly cases?: string | undefined;
  readonly base?: string | undefined;
  readonly filesRoot?: string | undefined;
  readonly deviations?: string | undefined;
  /** One case by its name. */
  readonly only?: string | undefined;
}

export interface CaseResult {
  readonly name: string;
  readonly passed: boolean;
  /** Why it failed. */
  readonly problems: readonly string[];
  /** Why other than Istio is right here. */
  readonly deviations: readonly string[];
  readonly milliseconds: number;
}

interface Stage {
  readonly house: PilotHouse;
  readonly backends: Backends;
  readonly proxyPort: number;
  readonly filesRoot: string;
  readonly baseRevision: number;
}

export async function runConformance(
  options: ConformanceOptions,
  onResult: (result: CaseResult, place: string) => void = () => undefined,
): Promise<readonly CaseResult[]> {
  const filesRoot = options.filesRoot ?? material;
  const all = readCases(options.cases ?? path.join(material, 'live/cases.json'));
  const cases = all.filter(({ name }) => options.only === undefined || name === options.only);
  if (cases.length === 0)
    throw new Error(`no case ${options.only ?? 'in the file'}; see \`name\` in the file of cases`);
  const deviations = readDeviations(options.deviations ?? path.join(material, '../deviations.json'));
  const base = readFileSync(options.base ?? path.join(material, 'live/mesh-base.yaml'), 'utf8');
  const closers: (() => Promise<void>)[] = [];
  try {
    const stage = await openStage(base, cases, filesRoot, closers);
    const results: CaseResult[] = [];
    for (const one of cases) {
      const result = await play(
        stage,
        one,
        deviations.filter((deviation) => deviation.case === one.name),
      );
      results.push(result);
      onResult(result, `${results.length}/${cases.length}`);
    }
    return results;
  } finally {
    for (let close = closers.pop(); close !== undefined; close = closers.pop()) await close();
  }
}

async function openStage(
  base: string,
  cases: readonly ConformanceCase[],
  filesRoot: string,
  closers: (() => Promise<void>)[],
): Promise<Stage> {
  const texts = cases.flatMap((one) => sourcesOf(one, filesRoot).map(({ text }) => text));
  const backends = await startBackends([...texts, base]);
  closers.push(() => backends.close());
  const house = await openPilotHouse(undefined, createLogger('pilot', 'warn'));
  closers.push(() => house.close());
  const folder = await temporaryFolder('conformance');
  closers.push(() => folder.remove());
  const { revision: baseRevision } = await house.apply(base);
  const ports = {
    app: { http: 9091 },
    inbound: { http: await freePort() },
    proxy: await freePort(),
    metrics: await freePort(),
    upstreams: {},
  };
  const planned = plannedInstance({ instance: PROXY.instance, ports });
  const plan = nodePlan(1, [planned], { address: PROXY.address });
  const places = { shared: path.join(folder.path, 'shared'), run: path.join(folder.path, 'run') };
  for (const place of Object.values(places)) await mkdir(place);
  await writeFile(path.join(places.shared, PILOTS_FILE), pilotsFile([house.pilot.xdsAddress]));
  const { admin: _, ...rest } = bootstrap({ proxy: proxyMetadata(plan, planned), places, ...PROXY });
  const envoy = await startEnvoy({ bootstrap: rest, baseDir: folder.path });
  closers.push(() => envoy.stop());
  await until('the proxy has the base', async () => {
    const { items } = await house.get<List<ProxyItem>>('/v1/proxies');
    const types = items.flatMap((item) => Object.values(item.types));
    const refused = types.find(({ state }) => state === 'NACK');
    if (refused !== undefined) throw new Error(`refused: ${refused.error}`);
    return types.length >= 4 && types.every(({ state }) => state === 'SYNCED');
  });
  return { house, backends, proxyPort: ports.proxy, filesRoot, baseRevision };
}

async function play(stage: Stage, one: ConformanceCase, deviations: readonly Deviation[]): Promise<CaseResult> {
  const start = performance.now();
  const problems = await problemsOf(stage, one, deviations);
  return {
    name: one.name,
    passed: problems.length === 0,
    problems,
    deviations: deviations.map(({ reason }) => reason),
    milliseconds: Math.round(performance.now() - start),
  };
}

async function problemsOf(
  { house, backends, proxyPort, filesRoot, baseRevision }: Stage,
  one: ConformanceCase,
  deviations: readonly Deviation[],
): Promise<readonly string[]> {
  const back = await house.post<ApplyResponse>('/v1/rollback', { by: 'conformance', toRevision: baseRevision });
  const files = sourcesOf(one, filesRoot);
  const probes = one.probes.map((probe, i) => {
    const deviation = deviations.find((candidate) => candidate.probe === i);
    return deviation === undefined ? probe : { ...withoutSeen(probe), ...deviation.seen };
  });
  const isRefusalWanted = probes.some((probe) => 'refused' in probe);
  let storeRevision = back.storeRevision;
  if (files.length > 0) {
    const { status, body } = await house.send('POST', '/v1/apply', { by: 'conformance', files });
    const isRefused = status >= 400 && status < 500;
    if (status >= 500 || isRefused !== isRefusalWanted) return [`apply answered ${status}: ${JSON.stringify(body)}`];
    if (isRefused) return [];
    storeRevision = (body as ApplyResponse).storeRevision ?? storeRevision;
  }
  const unacknowledged = await laggards(house, storeRevision);
  if (unacknowledged !== undefined) return [unacknowledged];
  const problems: string[] = [];
  for (const [i, probe] of probes.entries()) {
    if (!('request' in probe)) continue;
    const found = await problemsOfProbe(backends, proxyPort, probe as Probe, `${one.name} ${i}`, one.failing);
    problems.push(...found.map((problem) => `probe ${i} ${(probe as Probe).request.url}: ${problem}`));
  }
  return problems;
}

/** A deviation says all that is seen instead. */
function withoutSeen(probe: ConformanceCase['probes'][number]): object {
  if (!('request' in probe)) return {};
  const { request, n, failing } = probe;
  return { request, n, failing };
}

async function problemsOfProbe(
  backends: Backends,
  proxyPort: number,
  probe: Probe,
  id: string,
  failingCase: Probe['failing'] = {},
): Promise<readonly string[]> {
  const failing = { ...failingCase, ...probe.failing };
  backends.fail(failing);
  const answers = await sendProbe(probe.request, { n: probe.n, id, proxyPort });
  const measured = (): Measured => ({ answers, hits: backends.hits(id) });
  const isFailing = Object.keys(failing).length > 0;
  const found = differences(probe, measured(), isFailing);
  // Copies are sent beside the request and may come after the answer.
  if (probe.mirrorShares === undefined || found.length === 0) return found;
  let last = -1;
  for (let copies = total(measured()); copies !== last; copies = total(measured())) {
    last = copies;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return differences(probe, measured(), isFailing);
}

function total(measured: Measured): number {
  return Object.values(copiesOf(measured)).reduce((sum, count) => sum + count, 0);
}

/** Waits until the proxy has taken it all; says why when it has not, or has refused something. */
async function laggards(house: PilotHouse, storeRevision: string | undefined): Promise<string | undefined> {
  if (storeRevision === undefined) return undefined;
  const { acked } = await house.get<AckWaitResponse>(
    `/v1/acks?storeRevision=${storeRevision}&timeoutMs=${ACK_WAIT_MS}`,
  );
  if (acked) return undefined;
  return `the proxy has not taken it: ${JSON.stringify(await house.get('/v1/proxies'))}`;
}
