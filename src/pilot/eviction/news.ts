/** What the leader tells people about its steps. */
import { formatDurationMs } from '../../model/duration.js';
import { freezeAdvice, MESH_SCOPE } from '../../model/eviction.js';
import { MESH_NAME } from '../../model/mesh.js';
import type { EventNews } from '../../model/mesh-event.js';
import type { GuardPolicy } from './guard.js';
import type { EvictedBy, EvictionStep, Of } from './steps.js';

/** Undefined for what is bookkeeping only. */
export function newsOf(step: EvictionStep, { lingerMs }: Pick<GuardPolicy, 'lingerMs'>): EventNews | undefined {
  const linger = formatDurationMs(lingerMs);
  switch (step.action) {
    case 'remember':
    case 'forget':
      return undefined;
    case 'suspect': {
      const { why, node } = step.eviction;
      const message = `missing: ${why}; proxies avoid it, and it is removed in ${linger} unless it comes back`;
      return { reason: 'suspected', tone: 'warning', ...instance(step), node, message };
    }
    case 'clear':
      if (step.why === 'left') return undefined;
      return { reason: 'returned', tone: 'normal', ...instance(step), message: 'it is back, as the same instance' };
    case 'evict': {
      const { node } = step.eviction;
      return {
        reason: 'evicted',
        tone: 'warning',
        ...instance(step),
        node,
        message: `removed: ${because(step.by, linger)}`,
      };
    }
    case 'freeze':
      if (!step.isNew) return undefined;
      return {
        reason: 'frozen',
        tone: 'warning',
        ...scopeOf(step.scope),
        message: `nobody is removed: ${step.freeze.why}. ${freezeAdvice(step.scope)}`,
      };
    case 'thaw': {
      const why = step.by === undefined ? 'enough of those that were missing are back' : `${step.by} said so`;
      return { reason: 'thawed', tone: 'normal', ...scopeOf(step.scope), message: `removals go on: ${why}` };
    }
  }
}

export function nodeGone(node: string): EventNews {
  const message = `its agent was stopped, or its lease is over. Containers go on serving; start it again: mesh agent --node ${node}`;
  return { reason: 'node-gone', tone: 'warning', kind: 'Node', name: node, node, message };
}

function because(by: EvictedBy, linger: string): string {
  switch (by) {
    case 'linger':
      return `it was missing for ${linger}`;
    case 'witness':
      return "another node's agent has seen it dead";
    case 'thaw':
      return 'an operator has given it up';
  }
}

function instance({ namespace, service, id }: Of) {
  return { kind: 'Instance', namespace, name: id, service };
}

function scopeOf(scope: string): { kind: string; namespace?: string; name: string } {
  if (scope === MESH_SCOPE) return { kind: 'Mesh', name: MESH_NAME };
  const [namespace = '', name = ''] = scope.split('/');
  return { kind: 'Service', namespace, name };
}
