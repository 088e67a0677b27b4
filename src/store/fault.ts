/**
 * What a failed etcd call means. The package's error classes follow gRPC's codes; the code itself is lost, but the
 * message starts with it (`14 UNAVAILABLE: …`).
 */
import { messageOf } from '../runtime/mesh-error.js';

export type Fault =
  /** It never left: there was no connection. Another endpoint may do better. */
  | 'not-sent'
  /** No answer. Another endpoint may do better; a write may have been applied all the same. */
  | 'no-answer'
  | 'compacted'
  | 'lease-gone'
  /** The endpoint has decided against it: trying again gives the same answer. */
  | 'refused';

const NOT_SENT = /No connection established|connect E[A-Z]+|Channel closed before call started|Waiting for LB pick/;
/** Cancelled, Unknown, DeadlineExceeded, Aborted, Internal, Unavailable. */
const NO_ANSWER_CODES: ReadonlySet<string> = new Set(['1', '2', '4', '10', '13', '14']);

export function faultOf(error: unknown): Fault {
  const message = messageOf(error);
  if (message.includes('required revision has been compacted')) return 'compacted';
  if (message.includes('requested lease not found')) return 'lease-gone';
  if (NOT_SENT.test(message)) return 'not-sent';
  // Something that is not etcd listens there; another endpoint of the list may be the right one.
  if (message.includes('Received HTTP status code')) return 'not-sent';
  const code = /^(\d+) [A-Z_]+:/.exec(message)?.[1];
  if (code !== undefined) return NO_ANSWER_CODES.has(code) ? 'no-answer' : 'refused';
  // Without a code it never reached a server: the channel was reset under it, or a watch stream just ended.
  return message.includes('etcdserver:') ? 'refused' : 'no-answer';
}

export function isUnanswered(fault: Fault): boolean {
  return fault === 'not-sent' || fault === 'no-answer';
}

/** Nothing came until the deadline of the call: no answer, and no refusal of the connection either. */
export function isLate(error: unknown): boolean {
  return messageOf(error).startsWith('4 DEADLINE_EXCEEDED');
}
