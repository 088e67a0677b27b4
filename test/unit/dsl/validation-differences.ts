/** Where our verdict on Istio's own validation cases is another one, and why. Everything else must be equal. */
export interface Difference {
  readonly ids: readonly string[];
  readonly why: string;
  /** In work: it may differ or not. */
  readonly open?: true;
}

export const differences: readonly Difference[] = [
  {
    ids: ['203', '333', '675', '676', 'workloadentry-valid 1', 'workloadentry-valid 2'],
    why: 'network and serviceAccount of a workload: every proxy reaches every address by itself, and no certificate names it',
  },
  {
    ids: ['213', '215', '217', '683', '684', 'workloadgroup-valid 1', 'workloadgroup-valid 2'],
    why: 'probes of a WorkloadGroup: what registers itself checks its own health (and network, serviceAccount as above)',
  },
  {
    ids: ['608', '609', '611', '612', 'envoyfilter-valid 2', 'envoyfilter-valid 3'],
    why: 'EnvoyFilters for waypoints, which the mesh has none of; two of them have no patch either',
  },
  {
    ids: ['528', '665', '666', '667', 'telemetry-valid 1', 'telemetry-valid 2', 'telemetry-valid 3'],
    why: "overrides and reportingInterval of metrics: they are for a filter of Istio's own Envoy",
  },
  {
    ids: ['623', 'proxyconfig-valid 1'],
    why: 'imageType chooses among images of Istio; the Mesh names the image here',
  },
  {
    ids: ['wasm-valid 1', 'wasm-valid 2', 'wasm-valid 3', 'wasm-valid 4'],
    why: 'modules that are fetched, and a checksum of one that is not',
  },
  {
    ids: ['495', '531', '366', '367', '368', '643', 'reqauth-valid 1'],
    why: 'targetRef names a gateway of Kubernetes',
  },
  { ids: ['642'], why: 'an issuer alone: nobody here looks for its keys, and the hint says where they stand' },
  {
    ids: ['375', '516', '616'],
    why: 'the case has lost the empty list or map that it is about, which is refused here as well',
  },
  { ids: ['599', 'authz-valid 2'], why: 'a name has 40 characters at most' },
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
  { ids: ['176'], why: 'outbound_.… is a host of gateways between networks, which the mesh has none of' },
  { ids: ['283'], why: 'consecutiveErrors: Istio accepts and ignores it; the hint names consecutive5xxErrors' },
  {
    ids: ['33', '41', '42', '44', '51', '60', '68', '70', '73', '75', '229', '231', '236', '238', '240'],
    why: 'credentialName is a secret of Kubernetes; the hint names the files to write',
  },
  { ids: ['276'], why: 'zoneAwareLbSetting: no proxy is told where its like are; the hint names localityLbSetting' },
  { ids: ['8'], why: 'httpsRedirect at a port that is HTTPS already does nothing' },
  { ids: ['10'], why: 'a host in the namespace ~ is in no namespace' },
  { ids: ['28'], why: 'bind to a socket: it would stand in the container of the gateway' },
  { ids: ['37', '54'], why: 'three certificates: Envoy has one of RSA and one of ECDSA' },
  { ids: ['61'], why: 'a revocation list with PASSTHROUGH, where TLS does not end' },
  { ids: ['67', '69'], why: 'Istio ignores a cipher suite that it does not know, and a user believes that it holds' },
];
