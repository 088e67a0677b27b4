/**
 * Reads discovery requests. By hand, since an acknowledgement of 3,000 names comes a thousand times per change in
 * state-of-the-world, and a general decoder takes three times as long.
 */
import type { ProxyNode } from './ads-host.js';
import { decodeMessage } from './encode.js';
import type { NodeJson } from './envoy-json.js';
import type { DeltaRequest, SotwRequest } from './subscribe.js';
import { fieldsOf } from './wire.js';

export const MAX_NODE_BYTES = 64 * 1024;
export const MAX_NAMES = 5_000;

/** The proxy asked for more than we keep. */
export class TooMuch extends Error {}

export interface Received<R> {
  readonly request: R;
  /** Only the first message of a stream needs to have one. */
  readonly node: Buffer | undefined;
}

/** envoy.service.discovery.v3.DeltaDiscoveryRequest. */
export function readDeltaRequest(message: Buffer): Received<DeltaRequest> {
  let node: Buffer | undefined;
  let typeUrl = '';
  let nonce = '';
  let refusal: Buffer | undefined;
  const subscribe: string[] = [];
  const unsubscribe: string[] = [];
  const initialVersions: [string, string][] = [];
  for (const { number, bytes } of fieldsOf(message)) {
    if (number === 1) node = bytes;
    else if (number === 2) typeUrl = bytes.toString();
    else if (number === 3) add(subscribe, bytes.toString());
    else if (number === 4) add(unsubscribe, bytes.toString());
    else if (number === 5) add(initialVersions, readEntry(bytes));
    else if (number === 6) nonce = bytes.toString();
    else if (number === 7) refusal = bytes;
  }
  const error = refusal && readStatus(refusal);
  return { node, request: { kind: 'delta', typeUrl, nonce, error, subscribe, unsubscribe, initialVersions } };
}

/** envoy.service.discovery.v3.DiscoveryRequest. */
export function readSotwRequest(message: Buffer): Received<SotwRequest> {
  let node: Buffer | undefined;
  let typeUrl = '';
  let nonce = '';
  let version = '';
  let refusal: Buffer | undefined;
  const names: string[] = [];
  for (const { number, bytes } of fieldsOf(message)) {
    if (number === 1) version = bytes.toString();
    else if (number === 2) node = bytes;
    else if (number === 3) add(names, bytes.toString());
    else if (number === 4) typeUrl = bytes.toString();
    else if (number === 5) nonce = bytes.toString();
    else if (number === 6) refusal = bytes;
  }
  const error = refusal && readStatus(refusal);
  return { node, request: { kind: 'sotw', typeUrl, nonce, error, names, version } };
}

/** Refuses while it reads: of 4 MiB of names only the first are looked at. */
function add<Item>(list: Item[], item: Item): void {
  if (list.length >= MAX_NAMES) throw new TooMuch(`more names in one request than the ${MAX_NAMES} that are served`);
  list.push(item);
}

/** An entry of a map<string, string>. */
function readEntry(entry: Buffer): [string, string] {
  let key = '';
  let value = '';
  for (const { number, bytes } of fieldsOf(entry, 2)) {
    if (number === 1) key = bytes.toString();
    else if (number === 2) value = bytes.toString();
  }
  return [key, value];
}

/** google.rpc.Status: we keep the message. */
function readStatus(status: Buffer): string {
  let text = '';
  for (const { number, bytes } of fieldsOf(status)) if (number === 2) text = bytes.toString();
  return text || 'refused without a reason';
}

export function readNode(bytes: Buffer, peer: string): ProxyNode {
  if (bytes.length > MAX_NODE_BYTES) {
    throw new TooMuch(`node of ${bytes.length} bytes; at most ${MAX_NODE_BYTES} are accepted`);
  }
  // The shape is the descriptor's own.
  const node = decodeMessage('envoy.config.core.v3.Node', bytes) as NodeJson;
  const { region = '', zone = '', subZone = '' } = node.locality ?? {};
  const version = node.userAgentBuildVersion?.version;
  return {
    id: node.id ?? '',
    cluster: node.cluster ?? '',
    metadata: node.metadata ?? {},
    locality: { region, zone, subZone },
    buildVersion: version
      ? `${version.majorNumber ?? 0}.${version.minorNumber ?? 0}.${version.patch ?? 0}`
      : (node.userAgentVersion ?? ''),
    peer,
  };
}
