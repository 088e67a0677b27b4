import { clusterKind } from './cluster.js';
import type { AnyKind } from './kind.js';
import { meshKind } from './mesh.js';
import { nodeKind } from './node.js';
import { routeKind } from './route.js';
import { serviceKind } from './service.js';
import { versionKind } from './version.js';

/** THE table of our own kinds: a new kind is one file and one line here. Istio's are in dsl/kinds.ts, with the whole table. */
export const meshKinds: readonly AnyKind[] = [meshKind, serviceKind, versionKind, clusterKind, nodeKind, routeKind];
