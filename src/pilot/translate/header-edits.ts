/** Header edits as Envoy writes them: set before add, and a host that is set is a rewrite of the authority. */
import type { HeaderValueOptionJson } from '../../xds/envoy-json.js';
import type { HeaderEdits, MessageEdits } from './policy.js';

export interface EnvoyEdits {
  readonly requestHeadersToAdd?: HeaderValueOptionJson[];
  readonly requestHeadersToRemove?: string[];
  readonly responseHeadersToAdd?: HeaderValueOptionJson[];
  readonly responseHeadersToRemove?: string[];
}

/** Of several levels in order: those of the route, then those of its only destination. */
export function envoyEdits(levels: readonly (MessageEdits | undefined)[]): EnvoyEdits {
  const given = levels.filter((level) => level !== undefined);
  const requestAdd = given.flatMap((level) => additions(level.request));
  const responseAdd = given.flatMap((level) => additions(level.response));
  const requestRemove = given.flatMap((level) => level.request.remove);
  const responseRemove = given.flatMap((level) => level.response.remove);
  return {
    ...(requestAdd.length === 0 ? {} : { requestHeadersToAdd: requestAdd }),
    ...(requestRemove.length === 0 ? {} : { requestHeadersToRemove: requestRemove }),
    ...(responseAdd.length === 0 ? {} : { responseHeadersToAdd: responseAdd }),
    ...(responseRemove.length === 0 ? {} : { responseHeadersToRemove: responseRemove }),
  };
}

function additions({ set, add }: HeaderEdits): HeaderValueOptionJson[] {
  const option = (appendAction: HeaderValueOptionJson['appendAction']) => {
    return ({ name, value }: { readonly name: string; readonly value: string }): HeaderValueOptionJson => ({
      header: { key: name, value },
      ...(appendAction === undefined ? {} : { appendAction }),
    });
  };
  return [
    ...set.filter(isHeader).map(option('OVERWRITE_IF_EXISTS_OR_ADD')),
    ...add.filter(isHeader).map(option('APPEND_IF_EXISTS_OR_ADD')),
  ];
}

function isHeader({ name }: { readonly name: string }): boolean {
  return !isHost(name);
}

function isHost(name: string): boolean {
  return /^(host|:authority)$/i.test(name);
}

/** The authority that these edits write; set beats add. */
export function authorityOf(edits: MessageEdits | undefined): string | undefined {
  const { set = [], add = [] } = edits?.request ?? {};
  return [...set, ...add].find(({ name }) => isHost(name))?.value;
}
