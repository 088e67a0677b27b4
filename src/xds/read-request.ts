/**
 * Reads discovery requests. By hand, since an acknowledgement of 3,000 names comes a thousand times per change in
 * state-of-the-world, and a general decoder takes three times as long.
 */
import { createHash } from 'node:crypto';
import { MadeOf } from '../runtime/made-of.js';
import type { ProxyNode } from './ads-host.js';
import { readStruct } from './read-struct.js';
import type { DeltaRequest, SotwRequest } from './subscribe.js';
import { FieldReader } from './wire.js';

export const MAX_NODE_BYTES = 64 * 1024;
export const MAX_NAMES = 5_000;

/** The proxy asked for more than we keep. */
export class TooMuch extends Error {}

export interface Received<R> {
  readonly request: R;
  /** Only the first message of a stream needs to have one. */
  readonly node: Buffer | undefined;
}

/** All sidecars of a service ask for the same hundreds of names in the same words: they are read once. */
const LARGE_BYTES = 4 * 1024;
const large = new MadeOf<Received<DeltaRequest>>();

/** envoy.service.discovery.v3.DeltaDiscoveryRequest. */
export function readDeltaRequest(message: Buffer): Received<DeltaRequest> {
  if (message.length < LARGE_BYTES) return readDelta(message);
  return large.get(createHash('sha256').update(message).digest('base64'), () => readDelta(message));
}

function readDelta(message: Buffer): Received<DeltaRequest> {
  let node: Buffer | undefined;
  let typeUrl = '';
  let nonce = '';
  let error: string | undefined;
  const subscribe: string[] = [];
  const unsubscribe: string[] = [];
  const initialVersions: [string, string][] = [];
  const fields = new FieldReader(message);
  while (fields.next()) {
    if (fields.number === 1) node = fields.bytes();
    else if (fields.number === 2) typeUrl = fields.text();
    else if (fields.number === 3) add(subscribe, fields.text());
    else if (fields.number === 4) add(unsubscribe, fields.text());
    else if (fields.number === 5) add(initialVersions, readEntry(fields.inside(2)));
    else if (fields.number === 6) nonce = fields.text();
    else if (fields.number === 7) error = readStatus(fields.inside());
  }
  return { node, request: { kind: 'delta', typeUrl, nonce, error, subscribe, unsubscribe, initialVersions } };
}

/** envoy.service.discovery.v3.DiscoveryRequest. */
export function readSotwRequest(message: Buffer): Received<SotwRequest> {
  let node: Buffer | undefined;
  let typeUrl = '';
  let nonce = '';
  let version = '';
  let error: string | undefined;
  const names: string[] = [];
  const fields = new FieldReader(message);
  while (fields.next()) {
    if (fields.number === 1) version = fields.text();
    else if (fields.number === 2) node = fields.bytes();
    else if (fields.number === 3) add(names, fields.text());
    else if (fields.number === 4) typeUrl = fields.text();
    else if (fields.number === 5) nonce = fields.text();
    else if (fields.number === 6) error = readStatus(fields.inside());
  }
  return { node, request: { kind: 'sotw', typeUrl, nonce, error, names, version } };
}

/** Refuses while it reads: of 4 MiB of names only the first are looked at. */
function add<Item>(list: Item[], item: Item): void {
  if (list.length >= MAX_NAMES) throw new TooMuch(`more names in one request than the ${MAX_NAMES} that are served`);
  list.push(item);
}

/** An entry of a map<string, string>. */
function readEntry(fields: FieldReader): [string, string] {
  let key = '';
  let value = '';
  while (fields.next()) {
    if (fields.number === 1) key = fields.text();
    else if (fields.number === 2) value = fields.text();
  }
  return [key, value];
}

/** google.rpc.Status: we keep the message. */
function readStatus(fields: FieldReader): string {
  let text = '';
  while (fields.next()) if (fields.number === 2) text = fields.text();
  return text || 'refused without a reason';
}

/** envoy.config.core.v3.Node. By hand too: a proxy's metadata is the largest thing that is read of it, and is read by each that comes. */
export function readNode(bytes: Buffer, peer: string): ProxyNode {
  if (bytes.length > MAX_NODE_BYTES) {
    throw new TooMuch(`node of ${bytes.length} bytes; at most ${MAX_NODE_BYTES} are accepted`);
  }
  const node = { id: '', cluster: '', metadata: {}, locality: nowhere, buildVersion: '', peer };
  let version = '';
  const fields = new FieldReader(bytes);
  while (fields.next()) {
    if (fields.number === 1) node.id = fields.text();
    else if (fields.number === 2) node.cluster = fields.text();
    else if (fields.number === 3) node.metadata = readStruct(fields.inside());
    else if (fields.number === 4) node.locality = readLocality(fields.inside());
    else if (fields.number === 7) version = fields.text();
    else if (fields.number === 8) node.buildVersion = readBuildVersion(fields.inside());
  }
  return { ...node, buildVersion: node.buildVersion || version };
}

const nowhere: ProxyNode['locality'] = { region: '', zone: '', subZone: '' };

/** envoy.config.core.v3.Locality. */
function readLocality(fields: FieldReader): ProxyNode['locality'] {
  const locality = { ...nowhere };
  while (fields.next()) {
    if (fields.number === 1) locality.region = fields.text();
    else if (fields.number === 2) locality.zone = fields.text();
    else if (fields.number === 3) locality.subZone = fields.text();
  }
  return locality;
}

/** envoy.config.core.v3.BuildVersion, of which we keep the numbers (envoy.type.v3.SemanticVersion); empty without them. */
function readBuildVersion(fields: FieldReader): string {
  const numbers = [0, 0, 0];
  let text = '';
  while (fields.next()) {
    if (fields.number !== 1) continue;
    const version = fields.inside();
    while (version.next()) if (version.number <= numbers.length) numbers[version.number - 1] = version.value;
    text = numbers.join('.');
  }
  return text;
}
