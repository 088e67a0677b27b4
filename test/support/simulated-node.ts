/** A node without Docker and store: applies the agent's steps to an ActualNode, one at a time, and lets time bring the rest. */
import { type ActualContainer, type ActualInstance, type ActualNode, absentContainer } from '../../src/agent/actual.js';
import { nextSteps } from '../../src/agent/next-steps.js';
import type { Step } from '../../src/agent/steps.js';
import type { NodePlace, NodePlan, PlannedInstance } from '../../src/model/node-plan.js';

export const place: NodePlace = { node: 'n1', address: '127.0.0.1', cluster: 'room', region: 'r', zone: 'z' };

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export class SimulatedNode {
  plan: NodePlan | undefined;
  hasFiles = false;
  pilots: readonly string[] = ['10.0.0.1:7071'];
  writtenPilots: readonly string[] | undefined;
  stable = new Map<string, string | undefined>([['default/app', 'v1']]);
  /** Addresses of other nodes' instances of the stable version stand in the registry. */
  isStableListedElsewhere = true;
  readonly instances = new Map<string, Mutable<ActualInstance>>();
  readonly #planned = new Map<string, PlannedInstance>();
  #starts = 0;

  actual(): ActualNode {
    return {
      instances: this.instances,
      hasFiles: this.hasFiles,
      pilots: this.pilots,
      writtenPilots: this.writtenPilots,
      hasPilotsFile: this.writtenPilots !== undefined,
      stable: this.stable,
    };
  }

  steps(): readonly Step[] {
    return nextSteps(place, this.plan, this.actual());
  }

  setPlan(plan: NodePlan): void {
    this.plan = plan;
    this.hasFiles = false;
    for (const instance of plan.instances) this.#planned.set(instance.instance, instance);
  }

  /** An agent that was killed here: what only it knew is gone. */
  restartAgent(): void {
    this.hasFiles = false;
    this.writtenPilots = undefined;
    for (const instance of this.instances.values()) {
      Object.assign(instance, { health: 'starting', registered: new Map(), isDrained: false });
      Object.assign(instance, { startsAlone: false, isResting: false });
    }
  }

  instance(name: string): Mutable<ActualInstance> {
    const known = this.instances.get(name);
    if (known !== undefined) return known;
    const planned = this.#planned.get(name);
    const fresh: Mutable<ActualInstance> = {
      instance: name,
      namespace: planned?.namespace ?? 'default',
      service: planned?.service ?? '',
      version: planned?.version ?? '',
      planned,
      app: absentContainer,
      sidecar: absentContainer,
      health: 'starting',
      reason: '',
      record: undefined,
      registered: new Map(),
      isDrained: false,
      startsAlone: false,
      isResting: false,
    };
    this.instances.set(name, fresh);
    return fresh;
  }

  run(name: string): Mutable<ActualInstance> {
    const instance = this.instance(name);
    instance.app = this.#running(name);
    instance.sidecar = this.#running(`${name}-sidecar`);
    instance.health = 'starting';
    return instance;
  }

  /** Runs, is healthy and registered. */
  serve(name: string): Mutable<ActualInstance> {
    const instance = this.run(name);
    instance.health = 'healthy';
    this.applyAll(4);
    return instance;
  }

  die(name: string, role: 'app' | 'sidecar'): void {
    const instance = this.instance(name);
    if (instance[role].state !== 'absent') instance[role] = { ...instance[role], state: 'stopped' };
    instance.health = 'starting';
  }

  /** Does up to so many steps; answers when there are none. */
  applyAll(rounds = 100): void {
    for (let round = 0; round < rounds; round++) {
      const [step] = this.steps();
      if (step === undefined) return;
      this.apply(step);
    }
  }

  apply(step: Step): void {
    switch (step.action) {
      case 'write-files':
        this.hasFiles = true;
        return;
      case 'write-pilots':
        this.writtenPilots = step.addresses;
        return;
      case 'bring-up':
        for (const name of step.instances) this.run(name);
        return;
      case 'restart':
        this.run(step.instance);
        return;
      case 'write-record':
        this.instance(step.instance).record = step.record;
        return;
      case 'register': {
        const instance = this.instance(step.instance);
        instance.registered = new Map([
          ...instance.registered,
          ...step.keys.map(({ key, value }) => [key, value] as const),
        ]);
        instance.record = step.record;
        instance.isDrained = false;
        return;
      }
      case 'leave-plain-traffic': {
        if (!this.isStableListedElsewhere) return;
        const instance = this.instance(step.instance);
        instance.registered = new Map([...instance.registered].filter(([key]) => !step.keys.includes(key)));
        return;
      }
      case 'mark-down':
      case 'drain': {
        const instance = this.instance(step.instance);
        instance.record = step.record;
        instance.registered = new Map();
        if (step.action === 'drain') instance.isDrained = true;
        return;
      }
      case 'stop-and-remove': {
        const instance = this.instance(step.instance);
        instance.app = absentContainer;
        instance.sidecar = absentContainer;
        return;
      }
      case 'remove-record':
        this.instances.delete(step.instance);
        return;
    }
  }

  #running(name: string): ActualContainer {
    const startedAt = ++this.#starts;
    return { state: 'running', id: `${name}-${startedAt}`, name, startedAt, pid: startedAt, isFromElsewhere: false };
  }
}
