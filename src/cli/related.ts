/** What belongs to a definition or refers to it, for `describe`. */
import type { DefinitionItem } from '../model/api.js';
import type { AnyKind } from '../model/kind.js';
import { DEFAULT_NAMESPACE } from '../model/names.js';
import type { Api } from './api-client.js';
import { instanceTable } from './instance-table.js';
import { formatGrayStatus } from './output/gray-status.js';
import { formatPairs } from './output/table.js';
import type { Session } from './session.js';

export interface Related {
  /** `Route default/reviews` */
  readonly names: readonly string[];
  readonly text: string;
}

export async function relatedTo(
  api: Api,
  item: DefinitionItem,
  kinds: readonly AnyKind[],
  session: Session,
): Promise<Related> {
  const { kind } = item.document;
  const referring = await referringTo(api, item, kinds);
  const pairs = [...new Set(referring.map((one) => one.document.kind))].map((other) => {
    const ofKind = referring.filter((one) => one.document.kind === other);
    return [other, ofKind.map(shortName(item)).join(', ')] as const;
  });
  const blocks = [pairs.length === 0 ? '' : formatPairs(pairs), ...(await observed(api, item, kind, session))];
  return { names: referring.map(fullText), text: blocks.filter((block) => block !== '').join('\n') };
}

/** Every definition that names this one where its kind would name it. */
async function referringTo(api: Api, item: DefinitionItem, kinds: readonly AnyKind[]): Promise<DefinitionItem[]> {
  const lists = await Promise.all(
    kinds.map((kind) => api.definitions({ kind: kind.kind, namespace: kind.namespaced ? 'all' : undefined })),
  );
  return lists.flatMap((list) => list.items).filter((other) => other !== item && refersTo(other, item));
}

function refersTo(other: DefinitionItem, item: DefinitionItem): boolean {
  if (other.document.kind === item.document.kind && other.name === item.name && other.namespace === item.namespace) {
    return false;
  }
  const words = wordsFor(item, other.namespace);
  return mentions(other.document.spec, words) || (item.document.kind === 'Service' && isVersionOf(item, other));
}

/** Keys of a spec that hold the name of an object of that kind. */
const referenceKeys: Readonly<Record<string, readonly string[]>> = {
  Service: ['service', 'domain', 'host', 'hosts'],
  Cluster: ['cluster', 'clusters'],
  Version: ['version', 'stable'],
};

interface Words {
  readonly keys: readonly string[];
  readonly values: ReadonlySet<string>;
}

function wordsFor(item: DefinitionItem, from: string | undefined): Words {
  const { kind, spec } = item.document;
  const keys = referenceKeys[kind] ?? [];
  // A Version is referred to by its service's name and its own together; those of the same service are enough here.
  const name = kind === 'Version' ? String((spec as { version?: unknown }).version) : item.name;
  if (item.namespace === undefined) return { keys, values: new Set([name]) };
  const qualified = [
    `${name}.${item.namespace}`,
    `${name}.${item.namespace}.svc`,
    `${name}.${item.namespace}.svc.cluster.local`,
  ];
  return { keys, values: new Set(from === item.namespace || from === undefined ? [name, ...qualified] : qualified) };
}

function mentions(value: unknown, words: Words): boolean {
  if (Array.isArray(value)) return value.some((inner) => mentions(inner, words));
  if (value === null || typeof value !== 'object') return false;
  return Object.entries(value).some(([key, inner]) => {
    const texts = Array.isArray(inner) ? inner : [inner];
    const named = words.keys.includes(key) && texts.some((text) => typeof text === 'string' && words.values.has(text));
    return named || mentions(inner, words);
  });
}

function isVersionOf(service: DefinitionItem, other: DefinitionItem): boolean {
  if (other.document.kind !== 'Version' || other.namespace !== service.namespace) return false;
  return (other.document.spec as { service?: unknown } | undefined)?.service === service.name;
}

async function observed(api: Api, item: DefinitionItem, kind: string, session: Session): Promise<string[]> {
  if (kind === 'Service') {
    const namespace = item.namespace ?? DEFAULT_NAMESPACE;
    const instances = (await api.instances({ service: item.name, namespace })).items;
    const release = (await api.grayList()).items.find(
      (one) => one.service === item.name && one.namespace === namespace,
    );
    return [
      instances.length === 0 ? '' : instanceTable(instances, false, session),
      release === undefined ? '' : formatGrayStatus(release, session.style),
    ];
  }
  if (kind === 'Node') {
    const instances = (await api.instances({ node: item.name, namespace: 'all' })).items;
    return [instances.length === 0 ? '' : instanceTable(instances, false, session)];
  }
  return [];
}

function shortName(from: DefinitionItem): (item: DefinitionItem) => string {
  return ({ name, namespace }) =>
    namespace === undefined || namespace === from.namespace ? name : `${name}.${namespace}`;
}

function fullText({ document, namespace, name }: DefinitionItem): string {
  return namespace === undefined ? `${document.kind} ${name}` : `${document.kind} ${namespace}/${name}`;
}
