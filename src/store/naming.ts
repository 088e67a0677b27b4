/**
 * etcd's gRPC naming format, as stock Go clients read it: they look below `<target>/` and take the address from the
 * value. So the keys stand outside of the mesh's prefix, nothing else may live below them, and an address is never
 * changed in place (the old Go resolver would keep the previous one for ever): it is a part of the key.
 */
import { isIPv6 } from 'node:net';
import { DEFAULT_NAMESPACE, NAME_PATTERN, VERSION_PATTERN } from '../model/names.js';

export interface NamingName {
  readonly namespace: string;
  readonly service: string;
  /** With a version: every instance of that version. Without: what plain traffic gets. */
  readonly version?: string | undefined;
}

export interface NamingKey extends NamingName {
  /** `ip:port` when the mesh has written it; a service that registers itself may use any id. */
  readonly id: string;
}

/** What a Go client dials: `etcd:///` and this. No slash at either end, or it would find nothing. */
export function namingTarget(name: NamingName): string {
  const [tree, path] =
    name.version === undefined ? ['services', name.service] : ['versions', `${name.service}/${name.version}`];
  const suffix = name.namespace === DEFAULT_NAMESPACE ? '' : `.${name.namespace}`;
  return `${tree}${suffix}/${path}`;
}

export function namingKey(name: NamingName, address: string): string {
  return `${namingTarget(name)}/${address}`;
}

/** All naming keys, of every namespace: `services.` to `services/` are neighbours in the order of bytes. */
export function namingRanges(): { start: string; end: string }[] {
  return ['services', 'versions'].map((tree) => ({ start: `${tree}.`, end: `${tree}0` }));
}

export function parseNamingKey(key: string): NamingKey | undefined {
  const [head = '', service = '', ...rest] = key.split('/');
  const [, tree, suffix] = /^(services|versions)(?:\.([^.]+))?$/.exec(head) ?? [];
  if (tree === undefined || service === '') return undefined;
  const namespace = suffix ?? DEFAULT_NAMESPACE;
  const version = tree === 'versions' ? rest.shift() : undefined;
  const id = rest.join('/');
  if (id === '' || version === '' || (tree === 'versions' && version === undefined)) return undefined;
  return { namespace, service, version, id };
}

export type NamingValue =
  | {
      readonly kind: 'endpoint';
      readonly address: string;
      /** What the mesh has written beside the standard fields; undefined for a service that registered itself. */
      readonly mesh: Readonly<Record<string, unknown>> | undefined;
      /** From `Mesh.version`, or from the Metadata of a service that registered itself. */
      readonly version: string | undefined;
    }
  /** `Op: 1`, which the format calls Delete: the key counts as absent. */
  | { readonly kind: 'ignored' }
  | { readonly kind: 'problem'; readonly problem: string };

/**
 * Metadata stays null: an object there makes stock Go clients panic ("hash of unhashable type"). Mesh data is a field of
 * its own, which every Go version skips.
 */
export function encodeNamingValue(value: { readonly address: string; readonly mesh: object }): string {
  return JSON.stringify({ Op: 0, Addr: value.address, Metadata: null, Mesh: value.mesh });
}

/** What a registration says is short; whatever is longer was not meant as one. */
const MAX_VALUE_CHARACTERS = 16_384;
const MAX_SHOWN_CHARACTERS = 60;

/** Reads what anybody has written: Go decodes field names without regard to case, so this does too. */
export function decodeNamingValue(text: string): NamingValue {
  if (text.length > MAX_VALUE_CHARACTERS) {
    return problem(`the value has ${text.length} characters, expected ${MAX_VALUE_CHARACTERS} at most`);
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return problem('the value is not JSON');
  }
  if (!isObject(parsed)) return problem('the value is not a JSON object');
  const fields = new Map(Object.entries(parsed).map(([name, value]) => [name.toLowerCase(), value]));
  const op = fields.get('op') ?? 0;
  if (op === 1) return { kind: 'ignored' };
  if (op !== 0) return problem(`Op is ${shown(op)}, expected 0 (add) or 1 (delete)`);
  const address = fields.get('addr');
  if (typeof address !== 'string' || !isNamingAddress(address)) {
    return problem(`Addr is ${shown(address)}, expected "host:port"`);
  }
  const mesh = fields.get('mesh');
  const version = versionOf(mesh) ?? versionOf(fields.get('metadata'));
  // Not "no version": it would then be given to plain traffic, for which its writer did not mean it.
  if (version !== undefined && !VERSION_PATTERN.test(version)) return problem(notAVersion(version));
  return { kind: 'endpoint', address, mesh: isObject(mesh) ? mesh : undefined, version };
}

/** What is wrong with a key whose value may be right; undefined when nothing is. */
export function namingKeyProblem({ namespace, service, version }: NamingKey): string | undefined {
  const name = [namespace, service].find((text) => !NAME_PATTERN.test(text));
  if (name !== undefined) return `${shown(name)} in the key is no name: expected [a-z0-9-], 40 at most`;
  return version === undefined || VERSION_PATTERN.test(version) ? undefined : notAVersion(version);
}

function notAVersion(text: string): string {
  return `the version is ${shown(text)}, expected [a-z0-9.-], 40 at most`;
}

/** For messages: as JSON, so that nobody's terminal obeys it, and short. */
function shown(value: unknown): string {
  const text = String(JSON.stringify(value));
  return text.length > MAX_SHOWN_CHARACTERS ? `${text.slice(0, MAX_SHOWN_CHARACTERS)}…` : text;
}

/** An object with a `version`, the same as JSON text, or plain text that can be a version's name. */
function versionOf(data: unknown): string | undefined {
  if (isObject(data))
    return typeof data['version'] === 'string' && data['version'] !== '' ? data['version'] : undefined;
  if (typeof data !== 'string') return undefined;
  if (VERSION_PATTERN.test(data)) return data;
  try {
    const parsed: unknown = JSON.parse(data);
    return isObject(parsed) ? versionOf(parsed) : undefined;
  } catch {
    return undefined; // Metadata is anybody's free text: without a version in it, that is no mistake.
  }
}

/** `host:port`, an IPv6 host in brackets. */
export function isNamingAddress(text: string): boolean {
  const [, ipv6, digits] = /^(?:\[(.+)\]|[A-Za-z0-9._-]+):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  return port >= 1 && port <= 65535 && (ipv6 === undefined || isIPv6(ipv6));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function problem(text: string): NamingValue {
  return { kind: 'problem', problem: text };
}
