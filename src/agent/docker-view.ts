/**
 * The node's containers as Docker tells them: listed after every event, and a death believed at once, since callers must
 * hear of it before a list has come back. The events stream is opened again by us, from where it broke off.
 */
import { type Backoff, backoffMs } from '../runtime/backoff.js';
import type { Clock } from '../runtime/clock.js';
import { Latest } from '../runtime/latest.js';
import type { Logger } from '../runtime/logger.js';
import { messageOf } from '../runtime/mesh-error.js';
import type { Container, ContainerEvent, Docker } from './docker.js';
import { LABELS } from './labels.js';

export interface SeenContainer extends Container {
  /** Milliseconds since the epoch; 0 when it has never run. */
  readonly startedAt: number;
}

export interface DockerView {
  containers(): readonly SeenContainer[];
  /** Why the list may be out of date; undefined when it is not. */
  problem(): string | undefined;
  /** Lists now; rejects when Docker does not answer. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

export interface DockerViewOptions {
  readonly docker: Docker;
  readonly node: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onChange: () => void;
  /** Instead of onChange, when `containers` already shows the death. */
  readonly onDeath: (container: { readonly instance: string; readonly role: string }) => void;
}

const REOPEN: Backoff = { baseMs: 200, maxMs: 5000 };
/** Lists at least this far apart, however many events there are. */
const LIST_INTERVAL_MS = 50;
/** Safety net: list although no event came. */
const RELIST_MS = 30_000;

export async function openDockerView(options: DockerViewOptions): Promise<DockerView> {
  const { docker, node, clock, log, onChange, onDeath } = options;
  const closing = new AbortController();
  const labels = { [LABELS.node]: node };
  let seen = new Map<string, SeenContainer>();
  let problem: string | undefined;
  let since: string | undefined;
  /** Deaths while a list is on its way: the list may have been made before them. */
  let died = new Set<string>();

  const list = async (): Promise<void> => {
    died = new Set();
    const found = await docker.list(labels);
    const startedAts = await Promise.all(found.map((container) => startedAt(container)));
    const isFresh = (id: string): boolean => !died.has(id);
    const next = found.map((container, i): SeenContainer => {
      const state = isFresh(container.id) ? container.state : 'stopped';
      return { ...container, state, startedAt: startedAts[i] ?? 0 };
    });
    seen = new Map(next.map((container) => [container.id, container]));
    problem = undefined;
    onChange();
  };
  /** Asked once per life of a container: `start` forgets it. */
  const startedAt = async (container: Container): Promise<number> => {
    const known = seen.get(container.id);
    const isSameLife = known?.state === 'running' && container.state === 'running' && known.startedAt > 0;
    return isSameLife ? known.startedAt : docker.startedAt(container.id);
  };
  const lists = new Latest(clock, LIST_INTERVAL_MS, () => list().catch(failed));
  const failed = (error: unknown): void => {
    if (closing.signal.aborted) return;
    if (problem === undefined) log.warn({ node, reason: messageOf(error) }, 'Docker does not tell what runs');
    problem = messageOf(error);
    onChange();
  };
  const handle = (event: ContainerEvent): void => {
    // Docker repeats the event at `since`: an old death must not be believed of a container that runs again.
    if (since !== undefined && event.at <= since) return;
    since = event.at;
    const container = seen.get(event.id);
    if (event.action === 'die') {
      died.add(event.id);
      if (container !== undefined) seen.set(event.id, { ...container, state: 'stopped' });
      onDeath({ instance: event.labels[LABELS.instance] ?? '', role: event.labels[LABELS.role] ?? '' });
    }
    lists.note();
  };

  const follow = async (): Promise<void> => {
    for (let attempt = 0; !closing.signal.aborted; attempt++) {
      const open = (): void => {
        attempt = 0;
        lists.note(); // what happened while nobody listened
      };
      try {
        await docker.events(labels, since, { open, event: handle }, closing.signal);
      } catch (error) {
        failed(error);
      }
      await clock.sleep(backoffMs(REOPEN, attempt, Math.random), closing.signal).catch(() => {}); // closed
    }
  };
  const relist = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      await clock.sleep(RELIST_MS, closing.signal).catch(() => {}); // closed
      lists.note();
    }
  };

  await list();
  const running = Promise.all([follow(), relist()]);
  return {
    containers: () => [...seen.values()],
    problem: () => problem,
    refresh: list,
    async close() {
      closing.abort(new Error('closed'));
      await running;
      await lists.close();
    },
  };
}
