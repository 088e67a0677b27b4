import type { AnyKind } from '../../model/kind.js';
import { type ProblemCode, problemCodes } from '../../model/problem.js';
import { suggestion } from '../../model/suggestion.js';
import { type ErrorCode, type ErrorCodeInfo, errorCodes } from '../../runtime/error-codes.js';
import { MeshError } from '../../runtime/mesh-error.js';
import { defineCommand } from '../command.js';
import { exitCodes } from '../exit-codes.js';
import { type FieldSchema, fieldsOf, notesOf, schemaAt, specSchema, typeOf } from '../kind-schema.js';
import { kindOf } from '../kind-words.js';
import { type Answer, writeAnswer } from '../output/answer.js';
import { formatPairs, formatTable } from '../output/table.js';

export const command = defineCommand({
  examples: [
    { line: 'mesh explain service', what: 'what a kind is for, and its fields' },
    { line: 'mesh explain service.spec.upstreams', what: 'a field and what is below it' },
    { line: 'mesh explain MESH1010', what: 'what a message means' },
  ],
  arguments: [
    { syntax: '<kind-or-code>', description: 'KIND, KIND.spec.path, or a code', completes: 'kinds-and-codes' },
  ],
  output: ['table', 'json', 'yaml'],
  async run(session, [word = '']) {
    const isCode = /^mesh\d{4}$/i.test(word);
    await writeAnswer(session, isCode ? explainCode(word.toUpperCase()) : await explainField(word));
  },
});

function explainCode(code: string): Answer {
  if (Object.hasOwn(problemCodes, code)) {
    const title = problemCodes[code as ProblemCode];
    return {
      value: { apiVersion: 'mesh/v1', kind: 'Code', code, title, exit: 3 },
      text: formatPairs([
        [code, title],
        ['Exit', `3, ${exitCodes[3]}`],
        ['Cause', 'A mistake in a definition. The message names the place, what was found and what is allowed.'],
        ['Cure', 'Correct it; `mesh validate -f FILE` checks without a server.'],
      ]),
    };
  }
  if (!Object.hasOwn(errorCodes, code)) {
    throw new MeshError('MESH2005', `there is no code ${code}`, {
      hint: 'docs/reference/error-codes.md lists them all',
    });
  }
  const info: ErrorCodeInfo = errorCodes[code as ErrorCode];
  return {
    value: { apiVersion: 'mesh/v1', kind: 'Code', code, ...info },
    text: formatPairs([
      [code, info.title],
      ['Exit', `${info.exit}, ${exitCodes[info.exit]}`],
      ['Cause', info.cause],
      ['Cure', info.cure],
    ]),
  };
}

async function explainField(word: string): Promise<Answer> {
  const [kindWord = '', ...parts] = word.split('.');
  const kind = await kindOf(kindWord);
  const path = (parts[0] === 'spec' ? parts.slice(1) : parts).map((part) => part.replace(/\[\d*\]$/, ''));
  const whole = specSchema(kind);
  const schema = schemaAt(whole, path);
  if (schema === undefined) throw unknownField(kind, whole, path);
  const fields = fieldsOf(schema);
  const place = ['spec', ...path].join('.');
  return {
    value: { apiVersion: 'mesh/v1', kind: 'Explanation', of: kind.kind, path: place, schema },
    text:
      (path.length === 0 ? kindHead(kind) : formatPairs([[`${kind.kind} ${place}`, describeType(schema)]])) +
      (fields.length === 0 ? '' : `\n${fieldTable(place, fields)}`),
  };
}

function kindHead(kind: AnyKind): string {
  return formatPairs([
    [kind.kind, kind.summary],
    ['Short', [kind.plural, ...kind.aliases].join(', ')],
    ['Version', kind.apiVersions.join(', ')],
    ['Namespace', kind.namespaced ? 'yes' : 'none'],
  ]);
}

function describeType(schema: FieldSchema): string {
  const notes = notesOf(schema);
  return notes === '' ? typeOf(schema) : `${typeOf(schema)}; ${notes}`;
}

function fieldTable(place: string, fields: ReturnType<typeof fieldsOf>): string {
  const rows = fields.map(({ name, type, required, notes }) => [name, type, required ? 'yes' : '', notes]);
  return formatTable([`FIELD OF ${place}`, 'TYPE', 'REQUIRED', 'NOTES'], rows);
}

function unknownField(kind: AnyKind, whole: FieldSchema, path: readonly string[]): MeshError {
  const depth = path.findIndex((_part, i) => schemaAt(whole, path.slice(0, i + 1)) === undefined);
  const parent = schemaAt(whole, path.slice(0, depth)) ?? whole;
  const place = [kind.kind, 'spec', ...path.slice(0, depth)].join('.');
  return new MeshError('MESH2005', `${place} has no field "${path[depth]}"`, {
    hint: suggestion(
      path[depth] ?? '',
      fieldsOf(parent).map(({ name }) => name),
    ),
  });
}
