/** Goal: what the agent believes of its containers, from an engine whose list and whose events disagree. */
import { expect, test } from 'vitest';
import type { Container, ContainerEvent, Docker } from '../../src/agent/docker.js';
import { openDockerView } from '../../src/agent/docker-view.js';
import { systemClock } from '../../src/runtime/clock.js';
import { silentLogger } from '../../src/runtime/logger.js';
import { until } from '../support/until.js';

const STARTED_S = 1000;
const DIED_S = 2000;
const AGAIN_S = 3000;

test('believes a death that the list does not show yet, until the container has started again', async () => {
  // Docker 20.10 lists a container as running until it has cleaned up behind it: on a busy disk for seconds.
  const listed: Container = { id: 'c1', name: 'app', labels: {}, state: 'running', isPaused: false };
  let startedS = STARTED_S;
  let lists = 0;
  let tell: (event: ContainerEvent) => void = () => {};
  const docker: Pick<Docker, 'list' | 'life' | 'events'> = {
    list: () => {
      lists++;
      return Promise.resolve([listed]);
    },
    life: () => Promise.resolve({ startedAt: startedS * 1000, pid: 1 }),
    events: (_labels, _since, on, signal) => {
      tell = (event) => on.event(event);
      on.open();
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
    },
  };
  const view = await openDockerView({
    docker: docker as Docker, // all that a view asks of it
    node: 'n',
    clock: systemClock,
    log: silentLogger,
    onChange: () => {},
    onDeath: () => {},
  });
  const state = (): string | undefined => view.containers()[0]?.state;
  const happens = async (action: string, atS: number): Promise<void> => {
    const before = lists;
    tell({ id: 'c1', action, labels: {}, at: `${atS}.000000000` });
    await until('it is listed again', () => lists > before);
    await view.refresh();
  };
  try {
    expect(state()).toBe('running');
    await happens('die', DIED_S);
    expect(state()).toBe('stopped');
    startedS = AGAIN_S;
    await happens('start', AGAIN_S);
    expect(state()).toBe('running');
  } finally {
    await view.close();
  }
});
