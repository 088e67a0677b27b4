/** What the agent may do, as data: next-steps.ts decides, execute.ts does. */
import type { InstanceRecord } from '../model/instance.js';

export interface NamingPut {
  readonly key: string;
  readonly value: string;
}

export type Step =
  /** Make docker-compose.yml and the bootstraps on disk what the plan says. */
  | { readonly action: 'write-files'; readonly revision: number }
  /** Tell the node's sidecars where the pilots are, `host:port` each; never with none. */
  | { readonly action: 'write-pilots'; readonly addresses: readonly string[] }
  /** Start these pairs of app and sidecar by name, in one call of compose; what runs already is left alone. */
  | { readonly action: 'bring-up'; readonly instances: readonly string[] }
  /** Both containers are there and one or both have stopped: start them again, the sidecar first. Needs no compose. */
  | { readonly action: 'restart'; readonly instance: string }
  /** Something changed that no client has to know at once. */
  | { readonly action: 'write-record'; readonly instance: string; readonly record: InstanceRecord }
  /** It serves: put all these naming keys, then write the record. */
  | {
      readonly action: 'register';
      readonly instance: string;
      readonly keys: readonly NamingPut[];
      readonly record: InstanceRecord;
    }
  /**
   * It is no longer of the stable version: remove its keys of plain traffic, but only after the stable version has keys
   * there itself, on whichever node, so that the list is never empty.
   */
  | {
      readonly action: 'leave-plain-traffic';
      readonly instance: string;
      readonly keys: readonly string[];
      readonly namespace: string;
      readonly service: string;
      readonly stable: string;
    }
  /** It does not serve: remove its naming keys at once, then write the record (unhealthy, stopped). */
  | { readonly action: 'mark-down'; readonly instance: string; readonly record: InstanceRecord }
  /** Write `draining`, remove the naming keys, wait until every pilot's proxies know and no request is in flight. */
  | { readonly action: 'drain'; readonly instance: string; readonly record: InstanceRecord }
  | { readonly action: 'stop-and-remove'; readonly instance: string }
  /** Nothing of it runs any more: forget its record and its files. */
  | { readonly action: 'remove-record'; readonly instance: string };

export type Action = Step['action'];
export type StepOf<A extends Action> = Extract<Step, { action: A }>;

/**
 * Steps of one lane are done one at a time; lanes are independent of each other. All that changes one instance's record,
 * keys or containers is one lane, so that a record never tells what a later step has already undone. Bringing up is not
 * in it: one slow pair must not keep its neighbours, who came up in the same call, from being registered.
 */
export function laneOf(step: Step): string {
  switch (step.action) {
    case 'write-files':
      return 'files';
    case 'write-pilots':
      return 'pilots';
    case 'bring-up':
      return 'compose';
    case 'restart':
    case 'write-record':
    case 'register':
    case 'leave-plain-traffic':
    case 'mark-down':
    case 'drain':
    case 'stop-and-remove':
    case 'remove-record':
      return `instance ${step.instance}`;
  }
}

export function describeStep(step: Step): string {
  switch (step.action) {
    case 'write-files':
      return `write the files of plan ${step.revision}`;
    case 'write-pilots':
      return `tell sidecars of pilots ${step.addresses.join(', ')}`;
    case 'bring-up':
      return `bring up ${step.instances.join(', ')}`;
    case 'restart':
    case 'write-record':
    case 'register':
    case 'leave-plain-traffic':
    case 'mark-down':
    case 'drain':
    case 'stop-and-remove':
    case 'remove-record':
      return `${step.action.replaceAll('-', ' ')} ${step.instance}`;
  }
}
