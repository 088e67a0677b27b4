import type { DeployResponse } from '../model/api.js';
import { MeshError } from '../runtime/mesh-error.js';
import type { Api } from './api-client.js';
import { deployProgress, type NodeProgress } from './deploy-state.js';
import type { Style } from './output/color.js';
import { createProgress } from './output/progress.js';
import type { Session } from './session.js';

const POLL_INTERVAL_MS = 500;
/** Until then, things that are not there yet are no news. */
const SUSPICIOUS_AFTER_MS = 5000;
const DEFAULT_WAIT_MS = 120_000;
const MAX_PENDING_SHOWN = 3;
const MAX_PROBLEM_CHARS = 120;

/** Shows a line per node until every new instance is healthy and every old one gone; MESH2013 when that takes too long. */
export async function followDeploy(session: Session, api: Api, deployed: DeployResponse): Promise<void> {
  const { io, settings, errorStyle } = session;
  const startMs = io.clock.monotonic();
  const deadlineMs = startMs + (settings.givenTimeoutMs ?? DEFAULT_WAIT_MS);
  const progress = createProgress({ write: (text) => settings.quiet || io.stderr.write(text) }, io.isTTY.stderr);
  for (;;) {
    const [instances, nodes] = await Promise.all([api.instances({ namespace: 'all' }), api.nodes()]);
    const states = deployProgress(deployed.steps, instances.items, nodes.items, deployed.revision);
    const late = io.clock.monotonic() - startMs >= SUSPICIOUS_AFTER_MS;
    progress.show(states.map((state) => progressLine(state, late, errorStyle)));
    if (states.every(({ pending }) => pending.length === 0)) return;
    if (io.clock.monotonic() >= deadlineMs) throw notReached(states);
    await io.clock.sleep(POLL_INTERVAL_MS, io.signal);
  }
}

function progressLine(state: NodeProgress, late: boolean, style: Style): string {
  const { node, done, wanted, pending, agent, problem } = state;
  if (pending.length === 0) return `${style.tone('good', style.symbol.ok)} ${node}   ${done}/${wanted}`;
  const notes = [
    `waiting for ${pending.slice(0, MAX_PENDING_SHOWN).map(firstWords).join(', ')}${more(pending)}`,
    // Both are so for a moment at the beginning of every deploy.
    ...(late && agent !== 'ready' ? [style.tone('bad', 'no agent answers there (mesh agent --node …)')] : []),
    ...(late && problem !== undefined ? [style.tone('warn', firstLine(problem))] : []),
  ];
  return `${style.unicode ? '…' : '.'} ${node}   ${done}/${wanted}   ${notes.join('   ')}`;
}

/** `reviews-v2-7 starting` without its reason, which changes from second to second. */
function firstWords(text: string): string {
  return text.replace(/ \(.*$/s, '');
}

function more(pending: readonly string[]): string {
  return pending.length > MAX_PENDING_SHOWN ? ` and ${pending.length - MAX_PENDING_SHOWN} more` : '';
}

/** Messages of compose are long; the rest of it is in `mesh node describe`. */
function firstLine(text: string): string {
  const [line = ''] = text.trim().split('\n');
  return line.length > MAX_PROBLEM_CHARS ? `${line.slice(0, MAX_PROBLEM_CHARS)}…` : line;
}

function notReached(states: readonly NodeProgress[]): MeshError {
  const waiting = states.filter(({ pending }) => pending.length > 0);
  const what = waiting
    .map(
      ({ node, pending, problem }) => `${node}: ${pending.join(', ')}${problem === undefined ? '' : ` (${problem})`}`,
    )
    .join('; ');
  return new MeshError('MESH2013', `not reached in time by ${what}`, {
    hint: 'the agents keep trying; see `mesh ps -o wide` and `mesh logs SERVICE`',
  });
}
