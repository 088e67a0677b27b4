import { describe, expect, test } from 'vitest';
import { GuardedMesh, keys, leaseOf } from '../../support/guarded-mesh.js';

/** Ten instances of `web` on ten nodes, past the first TTL of the leader. */
function tenInstances(): GuardedMesh {
  const mesh = new GuardedMesh();
  for (let i = 1; i <= 10; i++) {
    mesh.startAgent(`n${i}`);
    mesh.run('web', `web-${i}`, `n${i}`);
  }
  mesh.pass(20_000);
  return mesh;
}

const lose = (mesh: GuardedMesh, ...nodes: readonly number[]): void => {
  for (const node of nodes) mesh.endLease(leaseOf(`n${node}`));
};
const comeBack = (mesh: GuardedMesh, node: number): void => {
  mesh.startAgent(`n${node}`);
  mesh.register('web', `web-${node}`, `n${node}`);
};
const actions = (steps: readonly { action: string }[]): string[] => steps.map(({ action }) => action);
const count = (mesh: GuardedMesh, health: string): number =>
  mesh.shown('web').filter((one) => one.endsWith(` ${health}`)).length;

describe('an instance whose agent has died', () => {
  test('is unhealthy at once, without the leader, and removed after the linger', () => {
    const mesh = tenInstances();
    lose(mesh, 1);
    expect(mesh.shown('web')).toContain('web-1 UNHEALTHY');
    expect(actions(mesh.pass(59_000))).toEqual(['suspect']);
    expect(count(mesh, 'UNHEALTHY')).toBe(1);
    expect(actions(mesh.pass(1000))).toEqual(['evict']);
    expect(mesh.shown('web')).toHaveLength(9);
  });

  test('is the same instance when it comes back, before or after its removal, and nothing is left of it', () => {
    const mesh = tenInstances();
    for (const ms of [30_000, 90_000]) {
      lose(mesh, 1);
      mesh.pass(ms);
      comeBack(mesh, 1);
      expect(count(mesh, 'HEALTHY')).toBe(10);
      expect(actions(mesh.settle())).toEqual(['clear']);
      expect([...mesh.entries.keys()].filter((key) => key.includes('/evict/'))).toEqual([]);
    }
  });

  test('lives with its own key alone: a sidecar that keeps itself registered has no agent', () => {
    const mesh = tenInstances();
    lose(mesh, 1);
    mesh.settle();
    mesh.register('web', 'web-1', 'n1');
    expect(actions(mesh.settle())).toEqual(['clear']);
    expect(mesh.pass(200_000)).toEqual([]);
  });

  test('is not removed within a TTL after the store was away', () => {
    const mesh = tenInstances();
    lose(mesh, 1);
    mesh.pass(59_000);
    mesh.storeWasAway();
    expect(mesh.pass(9000)).toEqual([]);
    expect(actions(mesh.pass(1000))).toEqual(['evict']);
  });

  test('is not suspected while its agent lives and says something else', () => {
    const mesh = tenInstances();
    mesh.delete('versions/web/v1/10.0.0.1:20001');
    expect(mesh.shown('web')).toContain('web-1 UNHEALTHY');
    mesh.run('web', 'web-1', 'n1', 'unhealthy');
    expect(mesh.pass(200_000)).toEqual([]);
    expect(mesh.shown('web')).toContain('web-1 UNHEALTHY');
  });

  test('that was leaving in order is gone when its record is', () => {
    const mesh = tenInstances();
    mesh.delete('versions/web/v1/10.0.0.1:20001');
    mesh.delete(keys.instance('n1', 'web-1'));
    expect(mesh.shown('web')).toHaveLength(9);
    expect(mesh.pass(200_000)).toEqual([]);
  });

  test('of a lost service whose record goes at last leaves no key behind', () => {
    const mesh = tenInstances();
    lose(mesh, 1);
    mesh.pass(100_000);
    mesh.delete(keys.instance('n1', 'web-1'));
    expect(mesh.settle()).toMatchObject([{ action: 'clear', why: 'left' }]);
  });
});

describe('an address that registers itself', () => {
  const registered = (): GuardedMesh => {
    const mesh = tenInstances();
    for (let i = 1; i <= 4; i++) mesh.registerSelf('old', `10.0.0.9:${i}`, `self-${i}`);
    expect(actions(mesh.settle())).toEqual(['remember', 'remember', 'remember', 'remember']);
    return mesh;
  };

  test('is unhealthy when its lease has ended, also for a pilot that starts then, and removed after the linger', () => {
    const mesh = registered();
    mesh.endLease('self-1');
    const shown = ['10.0.0.9:1 UNHEALTHY', '10.0.0.9:2 HEALTHY', '10.0.0.9:3 HEALTHY', '10.0.0.9:4 HEALTHY'];
    expect(mesh.shown('old')).toEqual(shown);
    expect(mesh.freshState().snapshot.endpoints.get('default/old')).toEqual(
      mesh.state.snapshot.endpoints.get('default/old'),
    );
    expect(actions(mesh.settle())).toEqual(['suspect']);
    expect(actions(mesh.pass(60_000))).toEqual(['evict']);
    expect(mesh.shown('old')).toEqual(shown.slice(1));
    expect([...mesh.entries.keys()].filter((key) => key.includes('10.0.0.9:1'))).toEqual([]);
  });

  test('has left in order when it took its key away while its lease lived', () => {
    const mesh = registered();
    mesh.delete('services/old/10.0.0.9:1');
    expect(actions(mesh.settle())).toEqual(['forget']);
    expect(mesh.shown('old')).toHaveLength(3);
  });

  test('comes back under another lease as the same address', () => {
    const mesh = registered();
    mesh.endLease('self-1');
    mesh.settle();
    mesh.registerSelf('old', '10.0.0.9:1', 'self-1b');
    expect(actions(mesh.settle()).toSorted()).toEqual(['clear', 'remember']);
    expect(mesh.shown('old')).toContain('10.0.0.9:1 HEALTHY');
    expect(mesh.pass(200_000)).toEqual([]);
  });

  test('that an agent begins to answer for is remembered no longer', () => {
    const mesh = tenInstances();
    mesh.registerSelf('web', '10.0.0.1:20011', 'self');
    mesh.settle();
    mesh.run('web', 'web-11', 'n1');
    expect(actions(mesh.settle())).toEqual(['forget']);
    expect(mesh.shown('web')).toContain('web-11 HEALTHY');
  });
});

describe('too many at once', () => {
  test('a third of a service freezes it: nobody is removed until they are back, and then it thaws by itself', () => {
    const mesh = tenInstances();
    lose(mesh, 1, 2, 3);
    expect(actions(mesh.settle())).not.toContain('freeze');
    lose(mesh, 4);
    mesh.settle();
    expect(mesh.frozen()).toEqual(['default/web']);
    mesh.pass(3_600_000);
    expect(mesh.shown('web')).toHaveLength(10);
    for (const node of [1, 2, 3]) comeBack(mesh, node);
    expect(actions(mesh.pass(19_000))).not.toContain('thaw');
    expect(actions(mesh.pass(2000))).toEqual(['thaw', 'evict']);
    expect(mesh.shown('web')).not.toContain('web-4 UNHEALTHY');
  });

  test('one after the other, each a while after the last, are deaths', () => {
    const mesh = tenInstances();
    for (const node of [1, 2, 3, 4]) {
      lose(mesh, node);
      mesh.pass(21_000);
    }
    mesh.pass(60_000);
    expect(mesh.frozen()).toEqual([]);
    expect(mesh.shown('web')).toHaveLength(6);
  });

  test('the last of a service is never removed by time', () => {
    const mesh = tenInstances();
    mesh.startAgent('x');
    mesh.run('one', 'one-1', 'x');
    mesh.endLease(leaseOf('x'));
    mesh.pass(3_600_000);
    expect(mesh.frozen()).toEqual(['default/one']);
    expect(mesh.shown('one')).toEqual(['one-1 UNHEALTHY']);
  });

  test('a sixth of the mesh freezes all of it, though no service has lost a third', () => {
    const mesh = new GuardedMesh();
    for (const service of ['a', 'b', 'c']) {
      for (let i = 1; i <= 10; i++) {
        mesh.startAgent(`${service}${i}`);
        mesh.run(service, `${service}-${i}`, `${service}${i}`);
      }
    }
    mesh.pass(20_000);
    for (const node of ['a1', 'a2', 'b1', 'b2', 'c1']) mesh.endLease(leaseOf(node));
    mesh.pass(3_600_000);
    expect(mesh.frozen()).toEqual(['mesh']);
    expect(mesh.shown('a')).toHaveLength(10);
  });

  test('an operator who knows better thaws it: those who were missing then are removed after their linger, and nothing stays', () => {
    const mesh = tenInstances();
    lose(mesh, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
    mesh.pass(100_000);
    expect(mesh.frozen()).toEqual(['default/web', 'mesh']);
    mesh.thaw('default/web');
    mesh.thaw('mesh');
    const steps = mesh.settle();
    expect(steps.filter(({ action }) => action === 'evict')).toHaveLength(10);
    expect(steps.find(({ action }) => action === 'evict')).toMatchObject({ by: 'thaw' });
    expect(mesh.shown('web')).toEqual([]);
    expect(mesh.frozen()).toEqual([]);
  });

  test('whoever vanishes after the thaw freezes anew', () => {
    const mesh = tenInstances();
    lose(mesh, 1, 2, 3, 4);
    mesh.settle();
    mesh.thaw('default/web');
    for (const node of [5, 6, 7]) {
      lose(mesh, node);
      mesh.settle();
    }
    expect(mesh.facts.freezes.get('default/web')?.value.thaw).toBeUndefined();
    mesh.pass(200_000);
    expect(mesh.shown('web')).toHaveLength(10);
  });

  test('a freeze that cannot be read holds all the same', () => {
    const mesh = tenInstances();
    mesh.put(keys.freeze('default', 'web'), 'rubbish');
    lose(mesh, 1, 2);
    mesh.pass(3_600_000);
    expect(mesh.shown('web')).toHaveLength(10);
  });
});

describe('a second witness', () => {
  const report = (alive: boolean, ...instances: readonly number[]) =>
    Object.fromEntries(instances.map((i) => [`default/web/web-${i}`, { alive, at: 0, why: 'no answer' }]));

  test('from another node lets the dead go, one per second and down to half of the service', () => {
    const mesh = tenInstances();
    lose(mesh, 1, 2, 3, 4, 5, 6, 7);
    mesh.pass(60_000);
    mesh.witness('n10', report(false, 1, 2, 3, 4, 5, 6, 7));
    expect(actions(mesh.settle())).toEqual(['evict']);
    expect(actions(mesh.pass(1000))).toEqual(['evict']);
    mesh.pass(600_000);
    expect(mesh.shown('web')).toHaveLength(5);
    expect(count(mesh, 'HEALTHY')).toBe(3);
  });

  test('on the same node, or one who contradicts another, counts for nothing', () => {
    const mesh = tenInstances();
    lose(mesh, 1, 2, 3, 4);
    mesh.witness('n1', report(false, 1));
    mesh.witness('n8', report(false, 2));
    mesh.witness('n9', report(true, 2));
    mesh.pass(600_000);
    expect(mesh.shown('web')).toHaveLength(10);
  });
});

describe('a new leader', () => {
  test('removes nobody within a TTL, begins the linger anew, and keeps what is frozen', () => {
    const mesh = tenInstances();
    lose(mesh, 1);
    mesh.pass(59_000);
    mesh.changeLeader(3_600_000);
    expect(actions(mesh.pass(59_000))).toEqual([]);
    expect(actions(mesh.pass(1000))).toEqual(['evict']);
    lose(mesh, 2, 3, 4, 5);
    mesh.pass(30_000);
    mesh.changeLeader();
    mesh.pass(3_600_000);
    expect(mesh.shown('web')).toHaveLength(9);
  });

  test('that finds a service all of whose instances are on their way back raises no alarm', () => {
    const mesh = tenInstances();
    lose(mesh, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
    mesh.changeLeader();
    mesh.pass(5000);
    for (let node = 1; node <= 10; node++) comeBack(mesh, node);
    mesh.pass(60_000);
    expect(mesh.frozen()).toEqual([]);
  });

  test('that finds them still missing after a TTL freezes them', () => {
    const mesh = tenInstances();
    lose(mesh, 1, 2, 3, 4);
    mesh.changeLeader();
    mesh.pass(10_000);
    expect(mesh.frozen()).toEqual(['default/web']);
  });
});
