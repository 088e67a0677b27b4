import { startTimeOf } from '../runtime/process-identity.js';
import type { UpOptions } from './commands/up.js';
import { withSource } from './failure.js';
import { hostName } from './host-name.js';
import { readSources, sourceText } from './input.js';
import type { LocalAgents } from './local-agents.js';
import { type LocalMesh, startLocalMesh } from './local-mesh.js';
import { countChanges, hasChanges } from './output/changes.js';
import { planSummary } from './output/plan-steps.js';
import type { Session } from './session.js';
import { readUpState, type UpState, type UpStep, writeUpState } from './up-state.js';

/** Starts everything, says what it did, and leaves it running. */
export async function upForeground(session: Session, options: UpOptions, dataDir: string): Promise<LocalMesh> {
  // Read before anything is started: a file that is not there should not leave half a mesh behind.
  const files =
    options.file && (await readSources(options.file, { recursive: options.recursive ?? false }, session.io));
  const { listen, xds, xdsTransport, etcd, quota, logLevel } = options;
  const mesh = await startLocalMesh(session, { dataDir, listen, xds, xdsTransport, etcd, quota, logLevel });
  try {
    const record = await openRecord(mesh, dataDir, session, (await readUpState(dataDir))?.nodes ?? []);
    await record.done(`store    ${mesh.store.description}`);
    await record.done(`pilot    API ${mesh.server}, xDS ${mesh.pilot.xdsAddress}`);
    if (files !== undefined) await applyFiles(session, mesh, files, record.done);
    await ensureNode(session, mesh, record.done);
    const agents = await mesh.runAgents((nodes) => void record.nodes(nodes));
    await sayAgents(agents, record);
    if (files !== undefined) await deployAll(session, mesh, record.done);
    await record.ready();
    session.say(nextSteps(mesh.server, files !== undefined, options));
    return mesh;
  } catch (error) {
    await mesh.close();
    throw error;
  }
}

interface Record {
  readonly done: (line: string) => Promise<void>;
  /** What does not work, and why; the rest goes on. */
  readonly lacking: (line: string) => Promise<void>;
  readonly nodes: (nodes: readonly string[]) => Promise<void>;
  readonly ready: () => Promise<void>;
}

/** Keeps the state file current. Writes follow each other: they come from agents at any time. */
async function openRecord(
  mesh: LocalMesh,
  dataDir: string,
  session: Session,
  earlierNodes: readonly string[],
): Promise<Record> {
  let state: UpState = {
    pid: process.pid,
    startTime: (await startTimeOf(process.pid)) ?? '',
    http: mesh.pilot.httpAddress,
    xds: mesh.pilot.xdsAddress,
    store: mesh.store.description,
    storeUrl: `etcd://${mesh.store.addresses.join(',')}`,
    nodes: [...earlierNodes],
    ready: false,
    steps: [],
  };
  let last: Promise<void> = Promise.resolve();
  const write = (change: Partial<UpState>): Promise<void> => {
    state = { ...state, ...change };
    const snapshot = state;
    last = last.then(() => writeUpState(dataDir, snapshot));
    return last;
  };
  const step = (one: UpStep): Promise<void> => {
    sayStep(session, one);
    return write({ steps: [...state.steps, one] });
  };
  return {
    done: (text) => step({ text, ok: true }),
    lacking: (text) => step({ text, ok: false }),
    nodes: (nodes) => write({ nodes: [...new Set([...state.nodes, ...nodes])].toSorted() }),
    ready: () => write({ ready: true }),
  };
}

export function sayStep(session: Session, { text, ok }: UpStep): void {
  const style = session.errorStyle;
  session.say(`${ok ? style.tone('good', style.symbol.ok) : style.tone('bad', style.symbol.fail)} ${text}`);
}

async function sayAgents(agents: LocalAgents, record: Record): Promise<void> {
  const [nodes, failures] = [agents.nodes(), agents.failures()];
  if (nodes.length > 0 || failures.size === 0) {
    await record.done(`agents   ${nodes.join(', ') || 'none: no Node has an address of this machine'}`);
  }
  for (const [node, reason] of failures) {
    await record.lacking(
      `agent    ${node} could not start, nothing runs there until it can (tried every 5 s): ${reason}`,
    );
  }
}

async function applyFiles(
  session: Session,
  mesh: LocalMesh,
  files: Awaited<ReturnType<typeof readSources>>,
  done: Record['done'],
): Promise<void> {
  const response = await withSource(mesh.api.apply({ ...session.author('mesh up'), files }), sourceText(files), {
    outcome: 'nothing applied',
    next: '',
  });
  const what = hasChanges(response) ? countChanges(response.changes) : 'nothing to change';
  await done(`apply    revision ${response.revision}: ${what}`);
}

/** A mesh without a node could run nothing. */
async function ensureNode(session: Session, mesh: LocalMesh, done: Record['done']): Promise<void> {
  const nodes = await mesh.api.definitions({ kind: 'Node' });
  if (nodes.items.length > 0) return;
  const name = hostName();
  const clusters = (await mesh.api.definitions({ kind: 'Cluster' })).items;
  const documents = [
    ...(clusters.some((cluster) => cluster.name === 'local')
      ? []
      : [{ apiVersion: 'mesh/v1', kind: 'Cluster', metadata: { name: 'local' }, spec: {} }]),
    {
      apiVersion: 'mesh/v1',
      kind: 'Node',
      metadata: { name },
      spec: { address: '127.0.0.1', cluster: 'local', ports: '20000-20999' },
    },
  ];
  const text = documents.map((document) => JSON.stringify(document)).join('\n---\n');
  await mesh.api.apply({ ...session.author('mesh up: no node was defined'), files: [{ name: 'mesh-up.yaml', text }] });
  await done(`node     ${name} at 127.0.0.1, in Cluster local (defined, because there was none)`);
}

async function deployAll(session: Session, mesh: LocalMesh, done: Record['done']): Promise<void> {
  const { steps, revision } = await mesh.api.deploy({ ...session.author('mesh up') });
  await done(`deploy   revision ${revision}. ${planSummary(steps)}`);
}

export function nextSteps(server: string, deployed: boolean, options: Pick<UpOptions, 'dataDir'>): string {
  const target = server === 'http://127.0.0.1:7070' ? '' : `  export MESH_SERVER=${server}\n`;
  const commands = deployed
    ? [
        '  mesh ps -w                       watch the instances come up',
        '  mesh status                      one screen',
      ]
    : ['  mesh apply -f world.yaml         say what there is', '  mesh deploy                      run it'];
  return `Ready. Next:\n${target}${commands.join('\n')}\nStop with: mesh down${options.dataDir === undefined ? '' : ` --data-dir ${options.dataDir}`}`;
}
