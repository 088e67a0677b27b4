import type { NodePlan } from '../model/node-plan.js';
import type { Problem } from '../model/problem.js';
import type { Templates } from './templates.js';

export interface RenderInput {
  readonly plan: NodePlan;
  readonly templates: Templates;
  /** Client endpoints of the store, `host:port`, for apps with an upstream in mode 3 (MESH_ETCD). */
  readonly storeEndpoints: readonly string[];
  /** `uid:gid` that sidecars run as; it owns their folders. Default `0:0`. */
  readonly sidecarUser?: string;
}

export interface RenderedFile {
  /** Relative to the output folder: `<node>/docker-compose.yml`, `<node>/<instance>/envoy.yaml`. */
  readonly path: string;
  readonly text: string;
}

export interface Rendered {
  /** Sorted by path; empty when there are problems. */
  readonly files: readonly RenderedFile[];
  readonly problems: readonly Problem[];
}

export function renderNode(_input: RenderInput): Rendered {
  throw new Error('on its way');
}
