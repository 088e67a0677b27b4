/**
 * The node's containers as Docker tells them: listed after every event, and a death believed at once, since callers must
 * hear of it before a list has come back. The events stream is opened again by us, from where it broke off.
 */
import { LABELS } from '../model/container-labels.js';
import { type Backoff, backoffMs } from '../runtime/backoff.js';
import type { Clock } from '../runtime/clock.js';
import { Latest } from '../runtime/latest.js';
import type { Logger } from '../runtime/logger.js';
import { messageOf } from '../runtime/mesh-error.js';
import type { Container, ContainerEvent, Docker, Life } from './docker.js';

export interface SeenContainer extends Container, Life {}

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
  /**
   * When a container died, until a list has shown it: Docker tells of a death before it cleans up, and lists the container
   * as running until it has, without another event after that.
   */
  const diedAt = new Map<string, number>();

  const list = async (): Promise<void> => {
    const found = await docker.list(labels);
    const lives = await Promise.all(found.map((container) => lifeOf(container)));
    seen = new Map(lives.map((container) => [container.id, believed(container)]));
    for (const id of diedAt.keys()) if (seen.get(id)?.state !== 'stopped') diedAt.delete(id);
    problem = undefined;
    onChange();
  };
  const believed = (container: SeenContainer): SeenContainer => {
    const { id, state, startedAt } = container;
    const isDead = state === 'running' && startedAt <= (diedAt.get(id) ?? Number.NEGATIVE_INFINITY);
    return isDead ? { ...container, state: 'stopped' } : container;
  };
  /** Asked once per life of a container: `start` forgets it. */
  const lifeOf = async (container: Container): Promise<SeenContainer> => {
    const known = seen.get(container.id);
    const isSameLife = known?.state === 'running' && container.state === 'running' && known.startedAt > 0;
    const { startedAt, pid } = isSameLife ? known : await docker.life(container.id);
    return { ...container, startedAt, pid };
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
      diedAt.set(event.id, Number(event.at) * 1000);
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
