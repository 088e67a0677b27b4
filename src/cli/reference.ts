/** The pages of docs/reference that are made from the code. `npm run docs` writes them, a test keeps them current. */
import { byKey, byText } from '../model/order.js';
import { type ProblemCode, problemCodes } from '../model/problem.js';
import { type ErrorCodeInfo, errorCodes } from '../runtime/error-codes.js';
import { exitCodes } from './exit-codes.js';
import { commandTree, helpOf } from './help.js';
import { type FieldSchema, fieldsOf, schemaAt, specSchema } from './kind-schema.js';
import { loadKinds } from './kind-words.js';

const NOTE = '<!-- Made by `npm run docs` from the code. Change the code, not this page. -->\n';
const MAX_FIELD_DEPTH = 6;

/** Path below docs/reference to text. */
export async function referencePages(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ['cli.md', await cliPage()],
    ['kinds.md', await kindsPage()],
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
