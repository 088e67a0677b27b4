/** The pages of docs/reference that are made from the code. `npm run docs` writes them, a test keeps them current. */
import { isIstioKind } from '../model/kind.js';
import { byKey, byText } from '../model/order.js';
import { type ProblemCode, problemCodes } from '../model/problem.js';
import { type ErrorCodeInfo, errorCodes } from '../runtime/error-codes.js';
import { exitCodes } from './exit-codes.js';
import { commandTree, helpOf } from './help.js';
import { type FieldSchema, fieldsOf, refusalOf, schemaAt, specSchema } from './kind-schema.js';
import { loadKinds } from './kind-words.js';

const NOTE = '<!-- Made by `npm run docs` from the code. Change the code, not this page. -->\n';
const MAX_FIELD_DEPTH = 6;

/** Path below docs/reference to text. */
export async function referencePages(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ['cli.md', await cliPage()],
    ['kinds.md', await kindsPage()],
    ['dsl.md', await dslPage()],
    ['error-codes.md', errorCodesPage()],
    ['exit-codes.md', exitCodesPage()],
  ]);
}

async function cliPage(): Promise<string> {
  const shown = (await commandTree()).filter(({ row }) => row.hidden !== true);
  const contents = shown.map(({ path, row }) => {
    const name = path.join(' ');
    return `${'  '.repeat(path.length - 1)}- [mesh ${name}](#mesh-${path.join('-')}): ${row.summary}\n`;
  });
  const pages = await Promise.all(
    shown.map(async ({ path }) => `## mesh ${path.join(' ')}\n\n${fenced((await helpOf(path)) ?? '')}\n`),
  );
  return `${NOTE}# The command line\n\n${contents.join('')}\n${pages.join('\n')}`;
}

async function kindsPage(): Promise<string> {
  const kinds = (await loadKinds()).toSorted(byText(({ kind }) => kind));
  const sections = kinds.map((kind) => {
    const facts = [
      `\`apiVersion: ${kind.apiVersions[0]}\``,
      kind.namespaced ? 'in a namespace' : 'no namespace',
      `\`mesh get ${[kind.plural, ...kind.aliases].join('|')}\``,
    ];
    const rows = fieldRows(specSchema(kind), []);
    const table =
      rows.length === 0 ? '' : `\n| field of spec | type | | notes |\n| --- | --- | --- | --- |\n${rows.join('')}`;
    return `## ${kind.kind}\n\n${kind.summary}\n\n${facts.join(' · ')}\n${table}`;
  });
  return `${NOTE}# Kinds\n\nRules across fields and objects are told by \`mesh validate\`, with the place and a hint.\n\n${sections.join('\n')}`;
}

/** Istio's kinds, field by field: served, or refused with the reason. */
async function dslPage(): Promise<string> {
  const kinds = (await loadKinds()).filter(isIstioKind).toSorted(byText(({ kind }) => kind));
  const supports = kinds.map((kind) => ({ kind, rows: supportRows(specSchema(kind), []) }));
  const summary = supports.map(({ kind: { kind, apiVersions }, rows }) => {
    const refused = rows.filter(({ refusal }) => refusal !== undefined).length;
    const versions = apiVersions.map((version) => `\`${version}\``).join(', ');
    return `| [${kind}](#${kind.toLowerCase()}) | ${versions} | ${rows.length - refused} | ${refused} |\n`;
  });
  const sections = supports.map(({ kind: { kind }, rows }) => {
    const lines = rows.map(({ path, refusal, values }) => {
      const status = refusal === undefined ? 'supported' : `refused: ${refusal}`;
      return `| \`${path}\` | ${cell([status, ...values].join('; '))} |\n`;
    });
    return `## ${kind}\n\n| field of spec | |\n| --- | --- |\n${lines.join('')}`;
  });
  return `${NOTE}# Istio's kinds: what is supported

Every field that Istio publishes is supported, or refused with a reason (MESH1017): none is accepted and ignored. A test compares this list with
Istio's own schemas. What the fields mean: \`mesh explain KIND.path\`, or [kinds.md](kinds.md).

| kind | apiVersion | fields supported | refused |
| --- | --- | --- | --- |
${summary.join('')}
${sections.join('\n')}`;
}

interface Support {
  readonly path: string;
  readonly refusal: string | undefined;
  /** Values that are refused. */
  readonly values: readonly string[];
}

function supportRows(schema: FieldSchema, above: readonly string[]): readonly Support[] {
  return fieldsOf(schema).flatMap(({ name }) => {
    const field = schemaAt(schema, [name]) ?? schema.properties?.[name] ?? {};
    const path = [...above, name];
    const own = { path: path.join('.'), refusal: refusalOf(field), values: field.refused ?? [] };
    return [own, ...supportRows(field, path)];
  });
}

function fieldRows(schema: FieldSchema, above: readonly string[]): string[] {
  if (above.length >= MAX_FIELD_DEPTH) return [];
  return fieldsOf(schema).flatMap(({ name, type, required, notes }) => {
    const path = [...above, name];
    const row = `| \`${path.join('.')}\` | ${cell(type)} | ${required ? 'required' : ''} | ${cell(notes)} |\n`;
    const inner = schemaAt(schema, [name]);
    return [row, ...(inner === undefined ? [] : fieldRows(inner, path))];
  });
}

function errorCodesPage(): string {
  const problems = Object.keys(problemCodes).toSorted() as ProblemCode[];
  const inputs = problems.map((code) => `| ${code} | ${problemCodes[code]} |\n`);
  const failures = Object.entries<ErrorCodeInfo>(errorCodes).toSorted(byKey);
  const rows = failures.map(
    ([code, { title, exit, cause, cure }]) => `| ${code} | ${title} | ${exit} | ${cell(cause)} | ${cell(cure)} |\n`,
  );
  return `${NOTE}# Codes

A code never changes its meaning, and a retired one is never used again. \`mesh explain CODE\` shows one.

## Mistakes in definitions (exit 3)

Each message names the place, what was found and what is allowed.

| code | title |
| --- | --- |
${inputs.join('')}
## Operations that failed

| code | title | exit | cause | cure |
| --- | --- | --- | --- | --- |
${rows.join('')}`;
}

function exitCodesPage(): string {
  const rows = Object.entries(exitCodes).map(([code, meaning]) => `| ${code} | ${cell(meaning)} |\n`);
  return `${NOTE}# Exit codes\n\n| code | meaning |\n| --- | --- |\n${rows.join('')}`;
}

function fenced(text: string): string {
  return `\`\`\`\n${text.trimEnd()}\n\`\`\`\n`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
