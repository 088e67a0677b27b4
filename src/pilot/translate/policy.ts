/**
 * The internal route form. Route, VirtualService and the default of a service without either compile to it, a gray release is
 * laid over it, and `routes.ts` and `listeners.ts` write it as Envoy understands it.
 */

/** The definition that a rule stands in; `Service` and `ServiceEntry` are the default that nobody wrote. */
export interface RuleSource {
  readonly kind: 'Route' | 'VirtualService' | 'Service' | 'ServiceEntry';
  readonly namespace: string;
  readonly name: string;
}

export type TextMatch =
  | { readonly kind: 'exact'; readonly text: string }
  | { readonly kind: 'prefix'; readonly text: string }
  /** RE2, the whole text. */
  | { readonly kind: 'regex'; readonly text: string }
  | { readonly kind: 'present' };

/** A condition on one header or pseudo header (`:method`, `:authority`, `:scheme`). */
export interface HeaderCondition {
  /** Lower case. */
  readonly name: string;
  readonly match: TextMatch;
  /** Holds when the match does not; a missing header counts as an empty one. */
  readonly inverted: boolean;
}

export interface QueryCondition {
  readonly name: string;
  readonly match: TextMatch;
}

/** Who calls: known when we translate, so it never becomes a condition of Envoy. */
export interface CallerCondition {
  /** `<ns>/<service>`, any of these. */
  readonly services: readonly string[] | undefined;
  /** Clusters (ours), any of these. */
  readonly clusters: readonly string[] | undefined;
  /** Labels of the calling instance, all of these. */
  readonly labels: Readonly<Record<string, string>> | undefined;
  readonly namespace: string | undefined;
  /** `mesh` for sidecars, `<ns>/<name>` of the Gateway that it came by; any of these. */
  readonly gateways: readonly string[] | undefined;
}

/** Conditions that must all hold. Of a connection that is passed on as it is, only those on the connection mean something. */
export interface RequestMatch {
  readonly name: string;
  readonly path: TextMatch | undefined;
  /** Exact and prefix paths only. */
  readonly ignoreCase: boolean;
  readonly headers: readonly HeaderCondition[];
  readonly queryParameters: readonly QueryCondition[];
  readonly caller: CallerCondition | undefined;
  /** The service port that the caller named. */
  readonly port: number | undefined;
  /** Names that a TLS connection asks for, in lower case, any of these; empty where TLS is not looked for. */
  readonly serverNames: readonly string[];
  /** Where the connection was made to, any of these ranges; empty for anywhere. */
  readonly subnets: readonly string[];
  /** Of statistics of its own; empty for none. */
  readonly statPrefix: string;
}

/** `plain` is a service without a subset: its stable version, or all versions when none is stable. */
export type Selection =
  | { readonly kind: 'plain' }
  | { readonly kind: 'version'; readonly version: string }
  /** Of a DestinationRule. */
  | { readonly kind: 'subset'; readonly subset: string };

export interface HeaderEdit {
  readonly name: string;
  readonly value: string;
}

export interface HeaderEdits {
  readonly set: readonly HeaderEdit[];
  readonly add: readonly HeaderEdit[];
  readonly remove: readonly string[];
}

export interface MessageEdits {
  readonly request: HeaderEdits;
  readonly response: HeaderEdits;
}

export interface Target {
  /** Its full name, in lower case. What that means is another question for each namespace of callers. */
  readonly host: string;
  readonly selection: Selection;
  /** Absent: the target's only port, else the port that the caller named, else the target's default. */
  readonly port: number | undefined;
}

export interface Destination extends Target {
  /** A share of the sum of all weights of the rule; an integer. */
  readonly weight: number;
  readonly edits: MessageEdits | undefined;
}

export interface Retries {
  readonly attempts: number;
  /** Envoy's words. */
  readonly on: readonly string[];
  readonly statusCodes: readonly number[];
  /**
   * Which failures between the callee's sidecar and its app count as well. They reach the caller as an answer of that sidecar,
   * which says by a header whether the app can have seen the request.
   */
  readonly behindSidecar: 'none' | 'unreached' | 'unreached-or-idempotent' | 'any-reset';
  readonly perTryTimeoutMs: number | undefined;
  readonly backoffMs: number | undefined;
  /** A retry looks for an instance that has not failed this request; 'unless-hashed': if it is not bound to one. */
  readonly previousHosts: boolean | 'unless-hashed';
  /** A retry may leave the priority, which is the locality, that has failed. */
  readonly remoteLocalities: boolean;
}

/** Millionths of the requests. */
export type Millionths = number;

interface FaultShare {
  readonly share: Millionths;
}

export interface Fault {
  readonly delay: ({ readonly fixedMs: number } & FaultShare) | undefined;
  readonly abort: (({ readonly httpStatus: number } | { readonly grpcStatus: number }) & FaultShare) | undefined;
}

export interface Mirror {
  readonly target: Target;
  readonly share: Millionths;
}

export interface Rewrite {
  /** In place of the matched part, or each match of an RE2 expression. */
  readonly path: string | { readonly pattern: string; readonly substitution: string } | undefined;
  readonly authority: string | undefined;
}

export interface Redirect {
  readonly path: string | undefined;
  readonly prefix: string | undefined;
  readonly authority: string | undefined;
  readonly scheme: string | undefined;
  /** `strip` drops the port, `request` keeps that of the service port that was named. */
  readonly port: number | 'strip' | 'request' | undefined;
  readonly status: 301 | 302 | 303 | 307 | 308;
}

export interface Answer {
  readonly status: number;
  /** `bytes` is base64. */
  readonly body: { readonly text: string } | { readonly bytes: string } | undefined;
}

/** What the caller's proxy answers in place of an error, be it its own or one that it was given. */
export interface Fallback {
  readonly on: readonly number[];
  readonly status: number;
  readonly headers: readonly HeaderEdit[];
  readonly body: string;
}

/** Which scripts of other origins may call (the fetch standard's CORS protocol). */
export interface Cors {
  readonly origins: readonly TextMatch[];
  readonly methods: readonly string[];
  readonly headers: readonly string[];
  readonly exposed: readonly string[];
  readonly maxAgeSeconds: number | undefined;
  readonly credentials: boolean | undefined;
  /** Preflights of other origins go to the service. */
  readonly forwardsUnmatched: boolean;
}

export type Action =
  | {
      readonly kind: 'forward';
      readonly destinations: readonly Destination[];
      /** Milliseconds for the whole request; 0 is no limit. */
      readonly timeoutMs: number;
      readonly retries: Retries | undefined;
      readonly fault: Fault | undefined;
      readonly mirrors: readonly Mirror[];
      readonly rewrite: Rewrite | undefined;
    }
  | { readonly kind: 'redirect'; readonly redirect: Redirect }
  | { readonly kind: 'answer'; readonly answer: Answer };

export interface Rule {
  readonly source: RuleSource;
  /** What it decides on: requests, or connections that are passed on as they are, with TLS in them or anything. */
  readonly layer: 'http' | 'tls' | 'tcp';
  /** Of the rule in its definition: its name, else its index. */
  readonly name: string;
  /** Set on the copy that a release with a header match puts before a rule. */
  readonly isReleaseCopy: boolean;
  /** Any of these; empty takes every request. */
  readonly matches: readonly RequestMatch[];
  readonly action: Action;
  readonly edits: MessageEdits | undefined;
  readonly cors: Cors | undefined;
  readonly fallback: Fallback | undefined;
}

/** The rules of one service in order; the first that matches takes the request. */
export type Rules = readonly Rule[];

export const anyRequest: RequestMatch = {
  name: '',
  path: undefined,
  ignoreCase: false,
  headers: [],
  queryParameters: [],
  caller: undefined,
  port: undefined,
  serverNames: [],
  subnets: [],
  statPrefix: '',
};
