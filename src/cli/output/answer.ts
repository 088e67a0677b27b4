/** One answer in the form that -o asks for. The table is for people; JSON and YAML are a contract. */
import type { OutputFormat } from '../command.js';
import type { Session } from '../session.js';

export interface Answer {
  /** What json and yaml show. */
  readonly value: unknown;
  /** Each is a document of its own in yaml, ready to be applied again. Default: the value. */
  readonly documents?: readonly unknown[];
  /** What `-o name` shows, a line each. */
  readonly names?: readonly string[];
  /** Ends with a newline. */
  readonly text: string;
}

/** `compact`: JSON on one line, for watching. */
export async function formatAnswer(answer: Answer, format: OutputFormat, compact = false): Promise<string> {
  switch (format) {
    case 'json':
      return `${JSON.stringify(answer.value, null, compact ? 0 : 2)}\n`;
    case 'yaml':
      return formatYaml(answer.documents ?? [answer.value]);
    case 'name':
      return (answer.names ?? []).map((name) => `${name}\n`).join('');
    case 'table':
    case 'wide':
      return answer.text;
  }
}

export async function formatYaml(documents: readonly unknown[]): Promise<string> {
  const { stringify } = await import('yaml');
  return documents.map((document) => stringify(document, { lineWidth: 0 })).join('---\n');
}

export async function writeAnswer(session: Session, answer: Answer): Promise<void> {
  session.write(await formatAnswer(answer, session.settings.output));
}
