/** What a page of the documentation tells its reader to type. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { root } from './mesh-process.js';

export interface Block {
  /** The heading above it. */
  readonly heading: string;
  /** 1-based, of its first line of text. */
  readonly line: number;
  readonly text: string;
}

/** README, tutorial and how-tos: the pages that promise to work as they stand. */
export const pages: readonly string[] = [
  'README.md',
  'CONTRIBUTING.md',
  'docs/tutorial.md',
  ...readdirSync(path.join(root, 'docs/how-to')).map((name) => `docs/how-to/${name}`),
];

export function readPage(page: string): string {
  return readFileSync(path.join(root, page), 'utf8');
}

/** The fenced blocks of a language, in their order. A block in a list is without its indentation. */
export function fencedBlocks(markdown: string, language: string): readonly Block[] {
  const blocks: Block[] = [];
  let heading = '';
  let open: { language: string; indent: number; line: number; lines: string[] } | undefined;
  for (const [i, line] of markdown.split('\n').entries()) {
    const fence = /^( *)```(\w*)/.exec(line);
    if (open === undefined) {
      if (fence !== null) open = { language: fence[2] ?? '', indent: fence[1]?.length ?? 0, line: i + 2, lines: [] };
      else heading = /^#+ (.*)/.exec(line)?.[1] ?? heading;
    } else if (fence === null) open.lines.push(line.slice(open.indent));
    else {
      if (open.language === language) blocks.push({ heading, line: open.line, text: open.lines.join('\n') });
      open = undefined;
    }
  }
  return blocks;
}

/** Every call of `mesh` in the shell blocks and in the code within sentences, as the words that follow its name. */
export function meshCalls(markdown: string): readonly (readonly string[])[] {
  const inSentences = [...markdown.replaceAll(/^ *```[^]*?^ *```/gm, '').matchAll(/`([^`\n]+)`/g)].map(
    (match) => match[1] as string,
  );
  const inBlocks = fencedBlocks(markdown, 'sh').map(({ text }) => text.replaceAll('\\\n', ' '));
  return [...inSentences, ...inBlocks].flatMap((code) =>
    [...code.matchAll(/(?<=^|[&|(] *)(?:\.\/bin\/)?mesh ([^|&)#\n]+)/gm)].map((match) => wordsOf(match[1] as string)),
  );
}

function wordsOf(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? match[3] ?? '');
}
