import { describe, expect, test } from 'vitest';
import { nodePlan, plannedInstance } from '../../support/node-plans.js';
import { SimulatedNode } from '../../support/simulated-node.js';

const v1 = (instance: string, rest = {}) => plannedInstance({ instance, ...rest });
const actions = (node: SimulatedNode) => node.steps().map((step) => step.action);
const oneLine = (node: SimulatedNode) =>
  node.steps().map((step) => `${step.action} ${'instance' in step ? step.instance : ''}`.trim());

/** A node that has reached this plan. */
function settled(...names: string[]): SimulatedNode {
  const node = new SimulatedNode();
  node.setPlan(
    nodePlan(
      1,
      names.map((name) => v1(name)),
    ),
  );
  node.applyAll(3);
  for (const name of names) node.instance(name).health = 'healthy';
  node.applyAll();
  expect(node.steps()).toEqual([]);
  return node;
}

describe('starting', () => {
  test('does nothing without a plan', () => {
    const node = new SimulatedNode();
    node.writtenPilots = node.pilots;
    expect(node.steps()).toEqual([]);
  });

  test('writes the files before it starts anything', () => {
    const node = new SimulatedNode();
    node.setPlan(nodePlan(7, [v1('app-v1-7')]));
    expect(actions(node)).toEqual(['write-files', 'write-pilots']);
  });

  test('brings up every missing pair in one call', () => {
    const node = new SimulatedNode();
    node.setPlan(nodePlan(1, [v1('app-v1-1'), v1('web-v1-1')]));
    node.applyAll(2);
    expect(node.steps()).toEqual([{ action: 'bring-up', instances: ['app-v1-1', 'web-v1-1'] }]);
  });

  test('starts nothing before sidecars can be told of a pilot', () => {
    const node = new SimulatedNode();
    node.pilots = [];
    node.setPlan(nodePlan(1, [v1('app-v1-1')]));
    node.applyAll(5);
    expect(node.steps()).toEqual([]);
  });

  test('keeps the last pilots when none is alive', () => {
    const node = settled('app-v1-1');
    node.pilots = [];
    expect(node.steps()).toEqual([]);
  });

  test('tries what has failed before by itself, after the others, and not while it rests', () => {
    const node = new SimulatedNode();
    node.setPlan(nodePlan(1, [v1('app-v1-1'), v1('bad-v1-1'), v1('worse-v1-1')]));
    node.applyAll(2);
    for (const name of ['bad-v1-1', 'worse-v1-1']) node.instance(name).startsAlone = true;
    const bringUp = () => node.steps().find((step) => step.action === 'bring-up');
    expect(bringUp()).toMatchObject({ instances: ['app-v1-1'] });
    node.run('app-v1-1');
    expect(bringUp()).toMatchObject({ instances: ['bad-v1-1'] });
    node.instance('bad-v1-1').isResting = true;
    expect(bringUp()).toMatchObject({ instances: ['worse-v1-1'] });
  });

  test('starts again what has stopped, but leaves to compose what was made from another data directory', () => {
    const node = settled('app-v1-1');
    const { app } = node.instance('app-v1-1');
    const stop = (rest: Partial<typeof app>) => {
      Object.assign(node.instance('app-v1-1'), { app: { ...app, state: 'stopped', ...rest }, registered: new Map() });
      Object.assign(node.instance('app-v1-1'), { record: undefined });
    };
    stop({});
    expect(actions(node)).toEqual(['restart']);
    stop({ isFromElsewhere: true });
    expect(node.steps()[0]).toEqual({ action: 'bring-up', instances: ['app-v1-1'] });
  });

  test('says in the record what could not be started', () => {
    const node = new SimulatedNode();
    node.setPlan(nodePlan(1, [v1('app-v1-1')]));
    node.applyAll(2);
    Object.assign(node.instance('app-v1-1'), { startsAlone: true, isResting: true, reason: 'no such image' });
    expect(node.steps()).toMatchObject([
      { action: 'write-record', record: { state: 'stopped', reason: 'no such image', container: '' } },
    ]);
  });

  test('leaves a container alone that Docker is about to restart', () => {
    const node = settled('app-v1-1');
    node.die('app-v1-1', 'app');
    node.instance('app-v1-1').app = { ...node.instance('app-v1-1').app, state: 'restarting' };
    expect(actions(node)).toEqual(['mark-down']);
  });
});

describe('registering', () => {
  test('waits for a healthy app beside a ready sidecar', () => {
    const node = new SimulatedNode();
    node.setPlan(nodePlan(1, [v1('app-v1-1')]));
    node.applyAll(3);
    expect(node.steps()).toMatchObject([{ action: 'write-record', record: { state: 'starting' } }]);
    node.applyAll(1);
    expect(node.steps()).toEqual([]);
    node.instance('app-v1-1').health = 'healthy';
    expect(node.steps()).toMatchObject([
      {
        action: 'register',
        keys: [{ key: 'services/app/127.0.0.1:20001' }, { key: 'versions/app/v1/127.0.0.1:20001' }],
        record: { state: 'healthy', container: 'app-v1-1', sidecar: 'app-v1-1-sidecar', planRevision: 1 },
      },
    ]);
  });

  test('lists an instance that is not of the stable version under its version alone', () => {
    const node = settled('app-v2-1');
    expect([...node.instance('app-v2-1').registered.keys()]).toEqual(['versions/app/v2/127.0.0.1:20001']);
  });

  test('lists every version for plain traffic while the service names no stable one', () => {
    const node = new SimulatedNode();
    node.stable.set('default/app', undefined);
    node.setPlan(nodePlan(1, [v1('app-v2-1')]));
    node.serve('app-v2-1');
    expect([...node.instance('app-v2-1').registered.keys()]).toContain('services/app/127.0.0.1:20001');
  });

  test('takes the lowest of several ports and says which it is', () => {
    const node = new SimulatedNode();
    const servicePorts = [
      { name: 'http', port: 9080, protocol: 'http' },
      { name: 'rpc', port: 9000, protocol: 'grpc' },
    ] as const;
    const ports = { app: { http: 1, rpc: 2 }, inbound: { http: 3, rpc: 4 }, proxy: 5, metrics: 6, upstreams: {} };
    node.setPlan(nodePlan(1, [v1('app-v1-1', { servicePorts, ports })]));
    node.serve('app-v1-1');
    const [[key, value] = ['', '']] = node.instance('app-v1-1').registered;
    expect(key).toBe('services/app/127.0.0.1:4');
    expect(JSON.parse(value)).toMatchObject({
      Op: 0,
      Addr: '127.0.0.1:4',
      Metadata: null,
      Mesh: { port: 'rpc', protocol: 'grpc', instance: 'app-v1-1', version: 'v1', node: 'n1' },
    });
  });

  test('uses the roots of another namespace', () => {
    const node = new SimulatedNode();
    node.setPlan(nodePlan(1, [v1('app-v1-1', { namespace: 'shop' })]));
    node.stable.set('shop/app', 'v1');
    node.serve('app-v1-1');
    expect([...node.instance('app-v1-1').registered.keys()]).toEqual([
      'services.shop/app/127.0.0.1:20001',
      'versions.shop/app/v1/127.0.0.1:20001',
    ]);
  });
});

describe('when the stable version changes', () => {
  test('the new stable instance is listed first, and the old one leaves after that', () => {
    const node = settled('app-v1-1', 'app-v2-1');
    node.stable.set('default/app', 'v2');
    expect(node.steps()).toMatchObject([
      { action: 'leave-plain-traffic', instance: 'app-v1-1', keys: ['services/app/127.0.0.1:20001'], stable: 'v2' },
      { action: 'register', instance: 'app-v2-1' },
    ]);
  });

  test('the old one stays listed while the new version is listed nowhere', () => {
    const node = settled('app-v1-1');
    node.stable.set('default/app', 'v2');
    node.isStableListedElsewhere = false;
    node.applyAll(5);
    expect(node.instance('app-v1-1').registered.size).toBe(2);
    node.isStableListedElsewhere = true;
    node.applyAll();
    expect([...node.instance('app-v1-1').registered.keys()]).toEqual(['versions/app/v1/127.0.0.1:20001']);
  });

  test('nothing leaves because a definition was deleted', () => {
    const node = settled('app-v1-1');
    node.stable.clear();
    expect(node.steps()).toEqual([]);
  });
});

describe('failing', () => {
  test('a container that died is out of the registry at once, and is started again', () => {
    const node = settled('app-v1-1');
    node.die('app-v1-1', 'app');
    expect(node.steps()).toMatchObject([
      { action: 'mark-down', record: { state: 'stopped', reason: 'the app does not run' } },
    ]);
    node.applyAll(1);
    expect(node.steps()).toEqual([{ action: 'restart', instance: 'app-v1-1' }]);
  });

  test("a pair that was never started as a whole is compose's to start, which knows the order", () => {
    const node = settled('app-v1-1');
    node.die('app-v1-1', 'app');
    node.instance('app-v1-1').app = { ...node.instance('app-v1-1').app, startedAt: 0 };
    expect(actions(node)).toEqual(['bring-up', 'mark-down']);
  });

  test('an old instance that died is not started again', () => {
    const node = settled('app-v1-1', 'web-v1-1');
    node.setPlan(nodePlan(2, [v1('web-v1-1')]));
    node.die('app-v1-1', 'app');
    node.applyAll(2);
    expect(oneLine(node)).toEqual(['stop-and-remove app-v1-1']);
  });

  test('a container that died is left alone for a moment', () => {
    const node = settled('app-v1-1');
    node.die('app-v1-1', 'sidecar');
    node.instance('app-v1-1').isResting = true;
    expect(node.steps()).toMatchObject([{ action: 'mark-down', record: { reason: 'the sidecar does not run' } }]);
    node.applyAll(1);
    expect(node.steps()).toEqual([]);
  });

  test('an unhealthy instance leaves the registry and comes back when it is well', () => {
    const node = settled('app-v1-1');
    Object.assign(node.instance('app-v1-1'), { health: 'unhealthy', reason: 'app: HTTP status 500' });
    expect(node.steps()).toMatchObject([
      { action: 'mark-down', record: { state: 'unhealthy', reason: 'app: HTTP status 500' } },
    ]);
    node.applyAll();
    Object.assign(node.instance('app-v1-1'), { health: 'healthy', reason: '' });
    expect(actions(node)).toEqual(['register']);
  });

  test('a pair that was restarted is not believed before it has been probed', () => {
    const node = settled('app-v1-1');
    node.run('app-v1-1');
    expect(node.steps()).toMatchObject([{ action: 'mark-down', record: { state: 'starting' } }]);
  });
});

describe('an agent that starts again', () => {
  test('adopts what runs: nothing is restarted, the record stands, the keys are put again', () => {
    const node = settled('app-v1-1');
    node.restartAgent();
    expect(actions(node)).toEqual(['write-files', 'write-pilots']);
    node.applyAll();
    expect(node.instance('app-v1-1').record?.state).toBe('healthy');
    node.instance('app-v1-1').health = 'healthy';
    expect(actions(node)).toEqual(['register']);
  });

  test('takes what died meanwhile out of the registry', () => {
    const node = settled('app-v1-1');
    node.restartAgent();
    node.die('app-v1-1', 'app');
    expect(actions(node)).toContain('mark-down');
  });

  test('goes on with what it has when the plan is lost', () => {
    const node = settled('app-v1-1');
    node.plan = undefined;
    expect(node.steps()).toEqual([]);
    node.die('app-v1-1', 'app');
    expect(actions(node)).toEqual(['mark-down']);
  });

  test('goes on with a drain that was cut off', () => {
    const node = settled('app-v1-1');
    node.setPlan(nodePlan(2, []));
    node.applyAll(1);
    const drain = node.steps()[0];
    expect(drain?.action).toBe('drain');
    if (drain) node.apply(drain);
    node.restartAgent();
    node.hasFiles = true;
    node.writtenPilots = node.pilots;
    expect(node.steps()).toEqual([drain]);
  });
});

describe('replacing, start-first', () => {
  const withSuccessor = (): SimulatedNode => {
    const node = settled('app-v1-1');
    node.setPlan(nodePlan(2, [v1('app-v1-2')]));
    node.applyAll(1);
    return node;
  };

  test('the old instance serves until its successor does, then drains, stops and is forgotten', () => {
    const node = withSuccessor();
    expect(oneLine(node)).toEqual(['bring-up']);
    node.run('app-v1-2');
    node.applyAll();
    expect(node.instance('app-v1-1').record?.state).toBe('healthy');
    node.instance('app-v1-2').health = 'healthy';
    expect(oneLine(node)).toEqual(['register app-v1-2']);
    node.applyAll(1);
    expect(oneLine(node)).toEqual(['drain app-v1-1']);
    node.applyAll(1);
    expect(oneLine(node)).toEqual(['stop-and-remove app-v1-1']);
    node.applyAll(1);
    expect(oneLine(node)).toEqual(['remove-record app-v1-1']);
    node.applyAll(1);
    expect(node.steps()).toEqual([]);
    expect([...node.instances.keys()]).toEqual(['app-v1-2']);
  });

  test('an old instance whose drain has begun serves again when its successor falls ill', () => {
    const node = withSuccessor();
    node.run('app-v1-2').health = 'healthy';
    node.applyAll(2);
    expect(oneLine(node)).toEqual(['stop-and-remove app-v1-1']);
    node.instance('app-v1-2').health = 'unhealthy';
    expect(oneLine(node)).toContain('register app-v1-1');
    node.applyAll();
    node.instance('app-v1-2').health = 'healthy';
    node.applyAll(1);
    expect(oneLine(node)).toEqual(['drain app-v1-1']);
  });

  test('an old instance that does not run protects nobody', () => {
    const node = withSuccessor();
    node.die('app-v1-1', 'app');
    expect(oneLine(node)).toEqual(['bring-up', 'mark-down app-v1-1']);
    node.applyAll();
    expect([...node.instances.keys()]).toEqual(['app-v1-2']);
  });

  test('another version of the service takes over only when its own is planned here no more', () => {
    const node = settled('app-v1-1', 'app-v2-1');
    node.setPlan(nodePlan(2, [v1('app-v1-2'), v1('app-v2-1')]));
    node.applyAll(1);
    expect(oneLine(node)).toEqual(['bring-up']);
    node.setPlan(nodePlan(3, [v1('app-v2-1')]));
    node.applyAll(1);
    expect(oneLine(node)).toEqual(['drain app-v1-1']);
  });

  test('one of two goes at once when fewer are asked for', () => {
    const node = settled('app-v1-1-1', 'app-v1-1-2');
    node.setPlan(nodePlan(2, [v1('app-v1-1-1')]));
    node.applyAll(1);
    expect(oneLine(node)).toEqual(['drain app-v1-1-2']);
  });

  test('a service that is planned here no more drains at once', () => {
    const node = settled('app-v1-1');
    node.setPlan(nodePlan(2, []));
    node.applyAll(1);
    expect(oneLine(node)).toEqual(['drain app-v1-1']);
  });

  test('an instance of which only the record is left is forgotten', () => {
    const node = settled('app-v1-1');
    node.setPlan(nodePlan(2, []));
    node.apply({ action: 'stop-and-remove', instance: 'app-v1-1' });
    node.applyAll(1);
    expect(oneLine(node)).toEqual(['remove-record app-v1-1']);
  });

  test('an instance that nobody can describe any more is stopped all the same', () => {
    const node = settled('app-v1-1');
    node.setPlan(nodePlan(2, []));
    node.hasFiles = true;
    Object.assign(node.instance('app-v1-1'), { planned: undefined, record: undefined });
    expect(oneLine(node)).toEqual(['stop-and-remove app-v1-1']);
  });
});

describe('replacing, stop-first', () => {
  test('the successor starts when the old instance is gone', () => {
    const node = settled('app-v1-1');
    node.setPlan(nodePlan(2, [v1('app-v1-2', { replace: 'stop-first' })]));
    node.applyAll(1);
    expect(oneLine(node)).toEqual(['drain app-v1-1']);
    node.applyAll(1);
    expect(oneLine(node)).toEqual(['stop-and-remove app-v1-1']);
    node.applyAll(1);
    expect(oneLine(node)).toEqual(['bring-up', 'remove-record app-v1-1']);
  });
});
