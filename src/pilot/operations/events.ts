/** What happened of late: the events of the store, and the accepted revisions, which need no second record. Oldest first. */
import type { EventItem } from '../../model/api.js';
import { type MeshEvent, readEvent } from '../../model/mesh-event.js';
import type { Release } from '../../model/release.js';
import { type Change, changeAction, type Revision } from '../../model/revision.js';
import type { VersionSpec } from '../../model/version.js';
import type { Store } from '../../store/store.js';
import { RELEASE_KIND } from '../changes.js';
import { newestFirst } from './history.js';

/** Of either kind: more than anybody reads, and a bound on what one request may cost. */
const MAX_READ = 5000;
const MAX_REVISIONS = 500;
const MAX_NAMED = 5;
const ALL = 'all';

export interface EventFilter {
  /** `all` for every one. What has no namespace is always told, unless an object is asked for. */
  readonly namespace: string;
  readonly kind?: string | undefined;
  readonly name?: string | undefined;
  /** Of the service itself, its instances, its release and what is defined for it. */
  readonly service?: string | undefined;
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly limit: number;
}

export async function events(store: Store, filter: EventFilter, signal?: AbortSignal): Promise<readonly EventItem[]> {
  const { entries } = await store.list(store.keys.below('event'), { descending: true, limit: MAX_READ }, signal);
  const found: EventItem[] = [];
  for (const { key, value } of entries) {
    const event = readEvent(value);
    if (event === undefined || event.lastAt < filter.since || !isWanted(event, filter)) continue;
    found.push({ id: key.slice(key.lastIndexOf('/') + 1), ...event });
  }
  let searched = 0;
  for await (const revision of newestFirst(store, 0, signal)) {
    if (revision.at < filter.since || ++searched > MAX_REVISIONS) break;
    if (isRevisionWanted(revision, filter)) found.push(revisionEvent(revision));
  }
  return found.toSorted((a, b) => a.lastAt - b.lastAt || (a.id < b.id ? -1 : 1)).slice(-filter.limit);
}

function isWanted(event: MeshEvent, { namespace, kind, name, service }: EventFilter): boolean {
  if (namespace !== ALL && event.namespace !== undefined && event.namespace !== namespace) return false;
  if (service !== undefined) return event.service === service || (event.kind === 'Service' && event.name === service);
  if (kind === undefined) return true;
  if (event.kind === kind && (name === undefined || event.name === name)) return true;
  return kind === 'Node' && name !== undefined && event.node === name;
}

function isRevisionWanted(revision: Revision, { namespace, kind, name, service }: EventFilter): boolean {
  if (kind === 'Revision') return name === undefined || name === String(revision.revision);
  if (kind === undefined && service === undefined) return true;
  return revision.changes.some((change) => {
    if (changeAction(change) === 'unchanged') return false;
    if (namespace !== ALL && change.namespace !== undefined && change.namespace !== namespace) return false;
    if (service !== undefined) return serviceOf(change) === service;
    return change.kind === kind && (name === undefined || change.name === name);
  });
}

/** The service that a change is about; undefined when it is about none. */
function serviceOf({ kind, name, before, after }: Change): string | undefined {
  if (kind === 'Service' || kind === RELEASE_KIND) return name;
  // Version and Route name their service in the document; whatever else has a field of that name means it as well.
  const document = (after ?? before) as { readonly spec?: Partial<VersionSpec> } | undefined;
  return document?.spec?.service;
}

function revisionEvent(revision: Revision): EventItem {
  const { at, by, why, command } = revision;
  const changed = revision.changes.filter((change) => changeAction(change) !== 'unchanged');
  const more = changed.length > MAX_NAMED ? `, and ${changed.length - MAX_NAMED} more` : '';
  const what = `${changed.slice(0, MAX_NAMED).map(describe).join(', ')}${more}`;
  return {
    id: `revision-${revision.revision}`,
    reason: 'revision',
    tone: 'normal',
    kind: 'Revision',
    name: String(revision.revision),
    message: `${command}: ${what}${why === '' ? '' : ` (${why})`}`,
    at,
    lastAt: at,
    count: 1,
    by,
  };
}

function describe(change: Change): string {
  const name = change.namespace === undefined ? change.name : `${change.namespace}/${change.name}`;
  if (change.kind !== RELEASE_KIND || change.after === undefined) {
    return `${change.kind} ${name} ${changeAction(change)}`;
  }
  const { stable, gray, phase, weight } = change.after as Release; // written by decideGray
  return `${name} ${stable} to ${gray}: ${phase} at ${weight} %`;
}
