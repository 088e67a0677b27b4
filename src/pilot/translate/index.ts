/** MeshSnapshot and proxy to Envoy resources: pure, and the same objects again for whatever did not change. */
export { type OverlayFinding, overlayFindings } from './overlay.js';
export { localityAt, type ProxyScope, type ProxyUpstream, readProxy } from './proxy.js';
export type { TranslatedResources, TranslationProblem } from './resources.js';
export { translate } from './translate.js';
