/** Does plain traffic get this version now? For a service that registers itself with its version, as the agent decides it for others. */
import { namingTarget } from '../model/names.js';
import { effectiveStable, type Release } from '../model/release.js';
import type { StoredDefinition } from '../model/revision.js';
import type { ServiceSpec } from '../model/service-shape.js';
import { valueOf } from '../model/stored-value.js';
import { decodeNamingValue } from '../store/naming.js';
import type { Entry } from '../store/store.js';
import type { Etcd } from './etcd.js';

export interface PlainTraffic {
  isWanted(): boolean;
  close(): Promise<void>;
}

export interface OwnVersion {
  readonly namespace: string;
  readonly service: string;
  readonly version: string;
}

/** Follows the service's definition, its gray release, and who is listed for plain traffic. */
export function followPlainTraffic(etcd: Etcd, own: OwnVersion, onChange: () => void): PlainTraffic {
  const { namespace, service, version } = own;
  const follow = (range: { key: string } | { prefix: string }) =>
    etcd.mirror({ list: [range], watch: [range], onChange: update });
  const definition = follow({ key: etcd.keys.def('Service', namespace, service) });
  const release = follow({ key: etcd.keys.release(namespace, service) });
  const listed = follow({ prefix: `${namingTarget(namespace, service)}/` });
  const mirrors = [definition, release, listed];
  let isWanted = false;
  let isKnown = false;

  function update(): void {
    if (!isKnown) return;
    const stable = stableVersion([...definition.entries.values()][0], [...release.entries.values()][0]);
    const next = wantsPlainTraffic(version, stable, isWanted, versionsOf(listed.entries.values()));
    if (next === isWanted) return;
    isWanted = next;
    onChange();
  }
  Promise.all(mirrors.map((mirror) => mirror.whenListed)).then(
    () => {
      isKnown = true;
      update();
    },
    () => {}, // closed before
  );
  return {
    isWanted: () => isWanted,
    close: async () => {
      await Promise.all(mirrors.map((mirror) => mirror.close()));
    },
  };
}

/** Undefined: there is no definition, or it names none, so every version is plain traffic. */
function stableVersion(definition: Entry | undefined, release: Entry | undefined): string | undefined {
  const document = definition && valueOf<StoredDefinition>(definition.value, ['document'])?.document;
  const spec = document?.spec as Pick<ServiceSpec, 'stable'> | undefined;
  if (spec === undefined) return undefined;
  return effectiveStable(spec, release && valueOf<Release>(release.value, ['phase', 'stable', 'gray']));
}

function versionsOf(entries: Iterable<Entry>): ReadonlySet<string> {
  const versions = new Set<string>();
  for (const { value } of entries) {
    const decoded = decodeNamingValue(value);
    if (decoded.kind === 'endpoint' && decoded.version !== undefined) versions.add(decoded.version);
  }
  return versions;
}

/** One that is no longer stable stays in the list until somebody of the stable version is in it: it never gets empty in between. */
export function wantsPlainTraffic(
  version: string,
  stable: string | undefined,
  isListed: boolean,
  listedVersions: ReadonlySet<string>,
): boolean {
  if (stable === undefined || stable === version) return true;
  return isListed && !listedVersions.has(stable);
}
