/** Which words could come next on a command line that is being typed. */
import { Option } from 'commander';
import type { Api } from './api-client.js';
import type { ArgumentSpec, CommandSpec, CompletionSource, GroupSpec, Row } from './command.js';
import { flagsOf } from './flags.js';
import { kindOf, loadKinds } from './kind-words.js';
import type { Session } from './session.js';
import { commands } from './table.js';

/** A shell waits for this while somebody types. */
const MAX_WAIT_MS = 1000;

export async function wordsFor(session: Session, words: readonly string[]): Promise<string[]> {
  const typed = words.at(-1) ?? '';
  const { rows, spec, operands, last } = await follow(words.slice(0, -1));
  const candidates = await candidatesFor(session, rows, spec, operands, last, typed);
  return [...new Set(candidates)].filter((word) => word.startsWith(typed)).toSorted();
}

interface Position {
  /** Commands that may follow here. */
  readonly rows: readonly Row[];
  readonly spec: CommandSpec | GroupSpec | undefined;
  readonly operands: readonly string[];
  /** The flag that waits for its value. */
  readonly last: string | undefined;
}

async function follow(words: readonly string[]): Promise<Position> {
  let rows: readonly Row[] = commands;
  let spec: CommandSpec | GroupSpec | undefined;
  const operands: string[] = [];
  let last: string | undefined;
  for (const word of words) {
    const wasValue = last !== undefined;
    last = undefined;
    if (wasValue) continue;
    if (word.startsWith('-')) {
      if (takesValue(spec, word)) last = word;
      continue;
    }
    const row = operands.length === 0 ? rows.find(({ name }) => name === word) : undefined;
    if (row === undefined) operands.push(word);
    else {
      spec = (await row.load()).command;
      rows = spec.commands ?? [];
    }
  }
  return { rows, spec, operands, last };
}

function takesValue(spec: CommandSpec | GroupSpec | undefined, word: string): boolean {
  if (spec?.kind !== 'command') return false;
  return optionsOf(spec).some((option) => isFlag(option, word) && (option.required || option.optional));
}

function isFlag({ long, short }: Option, word: string): boolean {
  return long === word || short === word;
}

function optionsOf(spec: CommandSpec): Option[] {
  return [...(spec.options ?? []).map(({ flags }) => new Option(flags)), ...flagsOf(spec)];
}

async function candidatesFor(
  session: Session,
  rows: readonly Row[],
  spec: CommandSpec | GroupSpec | undefined,
  operands: readonly string[],
  last: string | undefined,
  typed: string,
): Promise<readonly string[]> {
  if (spec?.kind === 'command' && last !== undefined) return valuesOf(session, spec, last);
  if (spec?.kind === 'command' && typed.startsWith('-')) {
    return optionsOf(spec).flatMap(({ long, short }) => [long, short].filter((flag) => flag !== undefined));
  }
  const verbs = operands.length === 0 ? rows.filter(({ hidden }) => hidden !== true).map(({ name }) => name) : [];
  if (spec?.kind !== 'command') return verbs;
  const source = argumentAt(spec.arguments ?? [], operands.length)?.completes;
  return [...verbs, ...(source === undefined ? [] : await fromSource(session, source, operands))];
}

function argumentAt(specs: readonly ArgumentSpec[], index: number): ArgumentSpec | undefined {
  const last = specs.at(-1);
  return specs[index] ?? (last?.syntax.includes('...') === true ? last : undefined);
}

async function valuesOf(session: Session, spec: CommandSpec, flag: string): Promise<readonly string[]> {
  const option = spec.options?.find(({ flags }) => isFlag(new Option(flags), flag));
  if (option?.choices !== undefined) return option.choices;
  if (option?.completes !== undefined) return fromSource(session, option.completes, []);
  return flag === '-o' || flag === '--output' ? (spec.output ?? []) : [];
}

async function fromSource(
  session: Session,
  source: CompletionSource,
  operands: readonly string[],
): Promise<readonly string[]> {
  if (source === 'kinds' || source === 'kinds-and-codes') return (await loadKinds()).map(({ plural }) => plural);
  const api = await session.api();
  return within(namesOf(api, session, source, operands));
}

async function namesOf(
  api: Api,
  session: Session,
  source: Exclude<CompletionSource, 'kinds' | 'kinds-and-codes'>,
  [word = '']: readonly string[],
): Promise<readonly string[]> {
  const { namespace } = session.settings;
  switch (source) {
    case 'names': {
      const kind = await kindOf(word);
      const scope = kind.namespaced ? namespace : undefined;
      return (await api.definitions({ kind: kind.kind, namespace: scope })).items.map(({ name }) => name);
    }
    case 'services':
      return (await api.definitions({ kind: 'Service', namespace })).items.map(({ name }) => name);
    case 'nodes':
      return (await api.nodes()).items.map(({ name }) => name);
    case 'instances':
      return (await api.instances({ namespace })).items.map(({ instance }) => instance);
    case 'proxies':
      return (await api.proxies()).items.map(({ proxy }) => proxy);
  }
}

async function within<Value>(value: Promise<Value>): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('too slow for a completion')), MAX_WAIT_MS);
  });
  return Promise.race([value, limit]).finally(() => clearTimeout(timer));
}
