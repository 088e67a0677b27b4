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
  'PeerAuthentication',
  'ProxyConfig',
  'RequestAuthentication',
  'Telemetry',
  'WasmPlugin',
];

const everyRange = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, i) => String(from + i));

export const differences: readonly Difference[] = [
  {
    ids: ['203', '333', '675', '676', 'workloadentry-valid 1', 'workloadentry-valid 2'],
    why: 'network and serviceAccount of a workload: every proxy reaches every address by itself, and no certificate names it',
  },
  {
    ids: ['213', '215', '217', '683', '684', 'workloadgroup-valid 1', 'workloadgroup-valid 2'],
    why: 'probes of a WorkloadGroup: what registers itself checks its own health (and network, serviceAccount as above)',
  },
  { ids: ['656'], why: 'subjectAltNames of a ServiceEntry: they are written in the tls of a DestinationRule' },
  { ids: ['342'], why: 'there are no waypoints, so their label says nothing' },
  { ids: ['serviceentry-valid 1'], why: 'an address 001:db8:: without quotes is a map in YAML 1.2' },
  {
    ids: ['154', '550', '588'],
    why: 'the test of Istio gives null as the condition, which its JSON form here has lost: {} is right, and means present',
  },
  {
    ids: ['160', '593'],
    why: 'mirrorPercentage without mirror does nothing: a field that is accepted and ignored is the worst answer',
  },
  {
    ids: ['33', '41', '42', '44', '51', '60', '68', '73', '75'],
    why: 'credentialName(s) of a Gateway: there are no secrets of Kubernetes here; the hint names files',
  },
  { ids: ['62'], why: 'ISTIO_MUTUAL of a Gateway: for certificates that the mesh issues, which it does not yet' },
  {
    ids: ['8', '32', '61'],
    why: 'TLS settings of a Gateway that do nothing in their mode: Istio warns or says nothing, and ignores them',
  },
  { ids: ['37', '54'], why: 'a third certificate of a Gateway: Istio warns and leaves it out' },
  { ids: ['67', '69', '70'], why: 'cipher suites that Envoy does not have, or twice: Istio warns and leaves them out' },
  { ids: ['10'], why: 'a host ~/name of a Gateway: refused in case 3, which is the same, and accepted here' },
  { ids: ['28'], why: 'a Gateway at a unix socket: it would stand in a container, where nobody finds it' },
  {
    ids: ['176'],
    why: 'hosts outbound_.PORT_…: names by which networks of Istio are joined; none of ours has an underscore',
  },
  { ids: ['283'], why: 'consecutiveErrors: Istio accepts and ignores it; the hint names consecutive5xxErrors' },
  {
    ids: ['219', ...everyRange(228, 241), '276'],
    why: 'tls, workloadSelector and zoneAwareLbSetting of DestinationRule',
    open: true,
  },
];
