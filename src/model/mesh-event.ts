/**
 * What happened in the mesh, for people: value of `event/<13 digits ms>-<id>`. Events explain, they decide nothing: whoever
 * needs a fact reads the key that holds it. They hang on leases that nobody renews, so they vanish by themselves.
 */
import { valueOf } from './stored-value.js';

/** Short, constant words, so that scripts may look for them. The message says the rest. */
export const eventReasons = [
  // Of an instance, told by its agent …
  'started',
  'healthy',
  'unhealthy',
  'died',
  'draining',
  'stopped',
  // … or by the leader of the pilots.
  'suspected',
  'returned',
  'evicted',
  // Of a service or the whole mesh; of a pilot whose store is not the one that it was.
  'frozen',
  'thawed',
  // Of a node.
  'node-back',
  'node-gone',
  'plan-reached',
  'plan-hindered',
  // Of a definition, told by the pilot whose proxy refused it.
  'refused',
  // Of the pilots.
  'leader',
  // Not stored: read from the mesh's revisions.
  'revision',
  // More happened than one process may tell.
  'left-out',
] as const;
export type EventReason = (typeof eventReasons)[number];

export interface EventNews {
  readonly reason: EventReason;
  readonly tone: 'normal' | 'warning';
  /** What it happened to: `Instance`, `Node`, `Service`, `Mesh`, `Pilot`, `Revision`. */
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
  /** The service of an instance, in the same namespace. */
  readonly service?: string;
  readonly node?: string;
  /** One sentence; longer ones are cut at MAX_EVENT_MESSAGE. */
  readonly message: string;
}

export interface MeshEvent extends EventNews {
  /** When it happened first and last, milliseconds since the epoch by the clock of whoever saw it. */
  readonly at: number;
  readonly lastAt: number;
  /** How often it was seen. */
  readonly count: number;
  /** Who saw it: `agent node-a`, `pilot p1`; for a revision, who asked for it. */
  readonly by: string;
}

export const MAX_EVENT_MESSAGE = 500;

export function firstEvent(news: EventNews, by: string, at: number): MeshEvent {
  const { message } = news;
  const short = message.length > MAX_EVENT_MESSAGE ? `${message.slice(0, MAX_EVENT_MESSAGE - 1)}…` : message;
  return { ...news, message: short, by, at, lastAt: at, count: 1 };
}

/** The same thing seen once more. */
export function seenAgain(event: MeshEvent, at: number): MeshEvent {
  return { ...event, lastAt: at, count: event.count + 1 };
}

/** Two of them that are the same thing have the same identity. */
export function eventIdentity({ reason, kind, namespace = '', name, message }: EventNews): string {
  return JSON.stringify([reason, kind, namespace, name, message]);
}

export function readEvent(text: string): MeshEvent | undefined {
  return valueOf<MeshEvent>(text, ['reason', 'tone', 'kind', 'name', 'message', 'at', 'lastAt', 'count', 'by']);
}
