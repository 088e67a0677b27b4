/** Where our verdict on Istio's own validation cases is another one, and why. Everything else must be equal. */
export interface Difference {
  readonly ids: readonly string[];
  readonly why: string;
  /** In work: it may differ or not. */
  readonly open?: true;
}

/** Kinds, and fields of kinds, that are in work: what is not judged yet must shrink to nothing. */
export const kindsInWork: readonly string[] = [
  'AuthorizationPolicy',
  'EnvoyFilter',
  'Gateway',
  'PeerAuthentication',
  'ProxyConfig',
  'RequestAuthentication',
  'ServiceEntry',
  'Sidecar',
  'Telemetry',
  'WasmPlugin',
  'WorkloadEntry',
  'WorkloadGroup',
];

const everyRange = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, i) => String(from + i));

export const differences: readonly Difference[] = [
  {
    ids: ['154', '550', '588'],
    why: 'the test of Istio gives null as the condition, which its JSON form here has lost: {} is right, and means present',
  },
  {
    ids: ['160', '593'],
    why: 'mirrorPercentage without mirror does nothing: a field that is accepted and ignored is the worst answer',
  },
  { ids: ['168', '169'], why: 'a destination with * names no service: Istio accepts it and answers 503' },
  { ids: ['283'], why: 'consecutiveErrors: Istio accepts and ignores it; the hint names consecutive5xxErrors' },
  { ids: ['176', '184', '185', '189', '192', '199', '539'], why: 'gateways and tls of VirtualService', open: true },
  {
    ids: ['219', ...everyRange(228, 241), '276'],
    why: 'tls, workloadSelector and zoneAwareLbSetting of DestinationRule',
    open: true,
  },
];
