import type { AnyKind } from '../model/kind.js';
import { meshKinds } from '../model/kinds.js';
import { authorizationPolicyKind } from './authorization-policy.js';
import { destinationRuleKind } from './destination-rule.js';
import { envoyFilterKind } from './envoy-filter.js';
import { gatewayKind } from './gateway.js';
import { peerAuthenticationKind } from './peer-authentication.js';
import { proxyConfigKind } from './proxy-config.js';
import { requestAuthenticationKind } from './request-authentication.js';
import { serviceEntryKind } from './service-entry.js';
import { sidecarKind } from './sidecar.js';
import { telemetryKind } from './telemetry.js';
import { virtualServiceKind } from './virtual-service.js';
import { wasmPluginKind } from './wasm-plugin.js';
import { workloadEntryKind } from './workload-entry.js';
import { workloadGroupKind } from './workload-group.js';

/** Istio's kinds: a new one is one file and one line here. */
export const istioKinds: readonly AnyKind[] = [
  virtualServiceKind,
  destinationRuleKind,
  gatewayKind,
  serviceEntryKind,
  workloadEntryKind,
  workloadGroupKind,
  sidecarKind,
  envoyFilterKind,
  authorizationPolicyKind,
  peerAuthenticationKind,
  requestAuthenticationKind,
  telemetryKind,
  proxyConfigKind,
  wasmPluginKind,
];

/** The whole table. */
export const allKinds: readonly AnyKind[] = [...meshKinds, ...istioKinds];
