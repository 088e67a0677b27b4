/** Files of definitions as -f names them: files, directories, `-` for stdin. All that cannot be read is reported at once. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { byText } from '../model/order.js';
import type { Problem } from '../model/problem.js';
import type { SourceFile } from '../model/source-documents.js';
import { MeshError } from '../runtime/mesh-error.js';
import { InvalidInput } from './failure.js';
import type { Io } from './io.js';
import type { SourceText } from './output/problems.js';

const definitionFile = /\.(ya?ml|json)$/i;
export const STDIN_NAME = '<stdin>';

export interface InputOptions {
  /** Enter directories below the given ones. */
  readonly recursive: boolean;
}

export async function readSources(names: readonly string[], options: InputOptions, io: Io): Promise<SourceFile[]> {
  if (names.length === 0) {
    throw new MeshError('MESH2007', 'no input given', { hint: 'name files or directories with -f, or - for stdin' });
  }
  const files: SourceFile[] = [];
  const problems: Problem[] = [];
  for (const name of names) {
    if (name === '-') files.push({ name: STDIN_NAME, text: await readStdin(io) });
    else await readPath(name, options, io, files, problems);
  }
  if (problems.length > 0) throw new InvalidInput(problems, { outcome: 'nothing read' });
  return files;
}

async function readPath(
  name: string,
  options: InputOptions,
  io: Io,
  files: SourceFile[],
  problems: Problem[],
): Promise<void> {
  try {
    const isDirectory = (await stat(resolve(io.cwd, name))).isDirectory();
    if (!isDirectory) {
      files.push({ name, text: await readFile(resolve(io.cwd, name), 'utf8') });
      return;
    }
    const found = await definitionFiles(name, options.recursive, io);
    if (found.length === 0) problems.push(emptyDirectory(name, options.recursive));
    for (const path of found) files.push({ name: path, text: await readFile(resolve(io.cwd, path), 'utf8') });
  } catch (error) {
    problems.push(unreadable(name, error as NodeJS.ErrnoException));
  }
}

/** Sorted by name within each directory, so that the order does not depend on the disk. */
async function definitionFiles(directory: string, recursive: boolean, io: Io): Promise<string[]> {
  const entries = await readdir(resolve(io.cwd, directory), { withFileTypes: true });
  const files: string[] = [];
  for (const entry of entries.toSorted(byText(({ name }) => name))) {
    const path = join(directory, entry.name);
    if (entry.isDirectory() && recursive && !entry.name.startsWith('.')) {
      files.push(...(await definitionFiles(path, recursive, io)));
    } else if (!entry.isDirectory() && definitionFile.test(entry.name)) files.push(path);
  }
  return files;
}

/** A single file, such as a saved plan. */
export async function readTextFile(name: string, wanted: string, io: Io): Promise<string> {
  try {
    return await readFile(resolve(io.cwd, name), 'utf8');
  } catch (error) {
    const problem = unreadable(name, error as NodeJS.ErrnoException);
    throw new InvalidInput([{ ...problem, hint: `${wanted}; ${problem.hint}` }]);
  }
}

async function readStdin(io: Io): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of io.stdin) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}

function emptyDirectory(file: string, recursive: boolean): Problem {
  const message = 'the directory holds no .yaml, .yml or .json file';
  const hint = recursive ? 'check the path' : 'check the path, or add -R to look into the directories below it';
  return { ...wholeFile(file), code: 'MESH1002', message, hint };
}

function unreadable(name: string, error: NodeJS.ErrnoException): Problem {
  const [message, hint] = whyUnreadable(error);
  return { ...wholeFile(name), code: 'MESH1013', message, hint };
}

/** Its first character stands for the whole: who reads `file:line:column` from our output finds one in every line. */
function wholeFile(file: string): Pick<Problem, 'severity' | 'file' | 'line' | 'column' | 'path'> {
  return { severity: 'error', file, line: 1, column: 1, path: '' };
}

function whyUnreadable(error: NodeJS.ErrnoException): [message: string, hint: string] {
  if (error.code === 'ENOENT') return ['there is no such file or directory', 'check the path'];
  if (error.code === 'EISDIR') return ['it is a directory', 'name a file in it'];
  if (error.code === 'EACCES') return ['it may not be read', 'check its permissions'];
  return [error.message, 'check the path'];
}

/** For excerpts: the text that was read under a name. */
export function sourceText(files: readonly SourceFile[]): SourceText {
  const texts = new Map(files.map((file) => [file.name, file.text]));
  return (name) => texts.get(name);
}
