import type { DefinitionView } from './definition.js';
import type { Endpoint, InstanceRecord } from './instance.js';
import type { MeshSpec } from './mesh.js';
import type { NodePlan } from './node-plan.js';
import type { Release } from './release.js';

/**
 * Everything at one revision of the store: immutable and structurally shared. Whatever did not change is the same object as in
 * the snapshot before, so that translators may remember by identity.
 */
export interface MeshSnapshot {
  /** The mesh's own revision, `rev/head`. */
  readonly revision: number;
  /** etcd's. */
  readonly storeRevision: bigint;
  readonly mesh: MeshSpec;
  readonly definitions: DefinitionView;
  /** Per service (`<ns>/<name>`), sorted by address. */
  readonly endpoints: ReadonlyMap<string, readonly Endpoint[]>;
  /** By service (`<ns>/<name>`), then by instance id: one of ten thousand may change without a copy of the others. */
  readonly instances: ReadonlyMap<string, ReadonlyMap<string, InstanceRecord>>;
  /** By node. */
  readonly plans: ReadonlyMap<string, NodePlan>;
  /** By service (`<ns>/<name>`), whatever their phase. */
  readonly releases: ReadonlyMap<string, Release>;
}

export function allInstances({ instances }: Pick<MeshSnapshot, 'instances'>): readonly InstanceRecord[] {
  return [...instances.values()].flatMap((ofService) => [...ofService.values()]);
}
