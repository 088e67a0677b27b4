/** What the agent tells of its node and of the instances there, for `mesh events`. */
import type { EventReason } from '../model/mesh-event.js';
import type { EventLog } from '../store/event-log.js';

type Tone = 'normal' | 'warning';

export interface News {
  node(reason: EventReason, message: string, tone?: Tone): void;
  instance(instance: string, reason: EventReason, message: string, tone?: Tone): void;
}

/** Whose instance that is, as far as anybody knows. */
export type OwnerOf = (instance: string) => { readonly namespace: string; readonly service: string } | undefined;

export function newsOf(node: string, events: EventLog, ownerOf: OwnerOf): News {
  return {
    node: (reason, message, tone = 'normal') => {
      events.record({ reason, tone, kind: 'Node', name: node, node, message });
    },
    instance: (instance, reason, message, tone = 'normal') => {
      const owner = ownerOf(instance);
      const of = owner === undefined ? {} : { namespace: owner.namespace, service: owner.service };
      events.record({ reason, tone, kind: 'Instance', ...of, name: instance, node, message });
    },
  };
}
