/** Definitions and their history. */
import { z } from 'zod';
import type { DefinitionItem } from '../../model/api.js';
import { applyRequest, deleteRequest, rollbackRequest } from '../../model/api-requests.js';
import { definitionKey } from '../../model/definition.js';
import { fullName } from '../../model/names.js';
import type { Problem } from '../../model/problem.js';
import { effectiveStable } from '../../model/release.js';
import { serviceKind } from '../../model/service.js';
import { suggestion } from '../../model/suggestion.js';
import { MeshError } from '../../runtime/mesh-error.js';
import { PLAN_KIND, RELEASE_KIND } from '../changes.js';
import { listPublished, type MeshState, meshStateOf } from '../mesh-state.js';
import { apply } from '../operations/apply.js';
import { deleteDefinitions, kindOf, namespaceFor } from '../operations/delete.js';
import { DEFAULT_HISTORY, history, readRevision } from '../operations/history.js';
import { rollback } from '../operations/rollback.js';
import type { ApiContext } from './context.js';
import { labelSelector, listOf } from './lists.js';
import { defineRoute, queryCount, queryList, type Route } from './route.js';

const ALL = 'all';
const MAX_HISTORY = 1000;

export function definitionRoutes(api: ApiContext): readonly Route[] {
  return [
    defineRoute({
      method: 'post',
      path: '/v1/apply',
      summary: 'Apply definitions, all or nothing; with dryRun only tell what would change',
      body: applyRequest,
      answer: 'ApplyResponse',
      handle: ({ body, signal }) => apply(api, body, signal),
    }),
    defineRoute({
      method: 'post',
      path: '/v1/delete',
      summary: 'Delete definitions by name or by file',
      body: deleteRequest,
      answer: 'ApplyResponse',
      handle: ({ body, signal }) => deleteDefinitions(api, body, signal),
    }),
    defineRoute({
      method: 'post',
      path: '/v1/rollback',
      summary: 'Take all definitions, or one, back to what they were at a revision',
      body: rollbackRequest,
      answer: 'ApplyResponse',
      handle: ({ body, signal }) => rollback(api, body, signal),
    }),
    defineRoute({
      method: 'get',
      path: '/v1/definitions/:kind',
      summary: 'Definitions of a kind, as they were written; namespace=all for every namespace',
      query: z.strictObject({
        namespace: z.string().optional(),
        name: queryList.optional(),
        selector: z.string().optional(),
      }),
      answer: 'List<DefinitionItem>',
      handle: ({ query, param, signal }) => definitionsOf(api, param('kind'), query, signal),
    }),
    defineRoute({
      method: 'get',
      path: '/v1/history',
      summary: 'Revisions, newest first; of one kind or object where named',
      query: z.strictObject({
        kind: z.string().optional(),
        namespace: z.string().optional(),
        name: z.string().optional(),
        limit: queryCount(MAX_HISTORY).optional(),
      }),
      answer: 'List<HistoryItem>',
      async handle({ query, signal }) {
        const kind = query.kind === undefined ? undefined : historyKind(api, query.kind);
        const namespace = query.namespace === ALL ? undefined : query.namespace;
        const limit = query.limit ?? DEFAULT_HISTORY;
        const items = await history(api.store, { kind, namespace, name: query.name, limit }, signal);
        return listOf('Revision', items[0]?.revision ?? 0, items);
      },
    }),
    defineRoute({
      method: 'get',
      path: '/v1/history/:revision',
      summary: 'One revision with its changes',
      answer: 'HistoryItem',
      handle({ param, signal }) {
        const text = param('revision');
        if (!/^\d{1,12}$/.test(text)) throw new MeshError('MESH2007', `"${text}" is not a revision`);
        return readRevision(api.store, Number(text), signal);
      },
    }),
  ];
}

function historyKind(api: ApiContext, word: string): string {
  const own = [RELEASE_KIND, PLAN_KIND].find((kind) => kind.toLowerCase() === word.toLowerCase());
  return own ?? kindOf(api.kinds, word).kind;
}

interface DefinitionQuery {
  readonly namespace?: string | undefined;
  readonly name?: readonly string[] | undefined;
  readonly selector?: string | undefined;
}

async function definitionsOf(api: ApiContext, word: string, query: DefinitionQuery, signal: AbortSignal) {
  const { store, kinds } = api;
  const { keys } = store;
  const kind = kindOf(kinds, word);
  const releases = kind.kind === serviceKind.kind ? [keys.below('release')] : [];
  const ranges = [keys.below('def', kind.kind), ...releases];
  const { entries, storeRevision } = await listPublished(store, ranges, signal);
  const state = meshStateOf(entries, storeRevision, { keys, kinds });
  const namespace = namespaceFor(kind, query.namespace);
  const matches = query.selector === undefined ? undefined : labelSelector(query.selector);
  const findings = api.live?.findings();
  const items = [...state.stored.keys()]
    .map((key) => itemOf(state, key, api, findings?.get(key) ?? []))
    .filter((item) => namespace === ALL || item.namespace === namespace)
    .filter((item) => matches?.(item.document.metadata.labels ?? {}) ?? true);
  if (query.name === undefined) return listOf(kind.kind, state.snapshot.revision, items);
  const known = items.map((item) => item.name);
  const missing = query.name.filter((name) => !known.includes(name));
  if (missing.length > 0) {
    const names = missing.map((name) => definitionKey(namespace, name)).join(', ');
    throw new MeshError('MESH2005', `${kind.kind} ${names} does not exist`, {
      hint: suggestion(missing[0] as string, known),
    });
  }
  const wanted = new Set(query.name);
  return listOf(
    kind.kind,
    state.snapshot.revision,
    items.filter((item) => wanted.has(item.name)),
  );
}

function itemOf(state: MeshState, key: string, api: ApiContext, problems: readonly Problem[]): DefinitionItem {
  const parsed = api.store.keys.parse(key);
  const stored = state.stored.get(key);
  if (parsed?.kind !== 'def' || stored === undefined) throw new MeshError('MESH2000', `${key} is not a definition`);
  const { namespace, name } = parsed;
  const effective = effectiveOf(state, namespace, name);
  const own = state.findings.get(key);
  return {
    document: stored.document,
    ...(namespace === undefined ? {} : { namespace }),
    name,
    revision: stored.revision,
    at: stored.at,
    problems: own === undefined ? problems : [own, ...problems.filter((problem) => problem.message !== own.message)],
    ...(effective === undefined ? {} : { effective }),
  };
}

/** Only where it is not what the definition says. */
function effectiveOf(state: MeshState, namespace: string | undefined, name: string): string | undefined {
  if (namespace === undefined) return undefined;
  const service = state.snapshot.definitions.get(serviceKind, namespace, name);
  if (service === undefined) return undefined;
  const effective = effectiveStable(service.spec, state.snapshot.releases.get(fullName(namespace, name)));
  return effective === service.spec.stable ? undefined : effective;
}
