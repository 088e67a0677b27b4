/** How a command describes itself. main.ts turns it into parsing and help; docs and completion are made from the same. */
import type { ExitCode } from './exit-codes.js';
import type { Session } from './session.js';

export const outputFormats = ['table', 'wide', 'json', 'yaml', 'name'] as const;
export type OutputFormat = (typeof outputFormats)[number];

export interface Example {
  readonly line: string;
  readonly what: string;
}

/** Syntax as commander reads it: `<kind>` is required, `[names...]` may be absent or many. */
export interface ArgumentSpec {
  readonly syntax: string;
  readonly description: string;
  /** Where completion finds the words. */
  readonly completes?: CompletionSource;
}

export type CompletionSource = 'kinds' | 'kinds-and-codes' | 'names' | 'services' | 'nodes' | 'proxies' | 'instances';

/** `-f, --file <path...>` takes several words, `--node <name>` with `repeats` may be given several times. */
export interface OptionSpec {
  readonly flags: string;
  readonly description: string;
  readonly repeats?: boolean;
  readonly choices?: readonly string[];
  readonly defaultValue?: string;
  readonly completes?: CompletionSource;
}

/** Flags that mean the same wherever they are taken. A command that does not take one refuses it. */
export type SharedFlag = 'namespace' | 'allNamespaces' | 'selector' | 'watch';

export interface CommandSpec<Options extends object = object> {
  readonly kind: 'command';
  /** More than the one line of the table, where one line is not enough. */
  readonly details?: string;
  /** 2 to 4. */
  readonly examples: readonly Example[];
  readonly arguments?: readonly ArgumentSpec[];
  readonly options?: readonly OptionSpec[];
  readonly takes?: readonly SharedFlag[];
  /** Values of -o; without it, the command has no -o. */
  readonly output?: readonly OutputFormat[];
  /** `api`: talks to a pilot (or, with --store, does its work itself). `store`: opens the store. */
  readonly connects?: 'api' | 'store';
  /** Verbs below it: `deploy history`. */
  readonly commands?: readonly Row[];
  /** `args` are the operands as they were typed. No answer means exit code 0. */
  run(session: Session, args: readonly string[], options: Options): Promise<ExitCode | void>;
}

/** A noun with verbs of its own. */
export interface GroupSpec {
  readonly kind: 'group';
  readonly details?: string;
  readonly examples: readonly Example[];
  readonly commands: readonly Row[];
}

/** One line of a table of commands: what `--help` needs without loading the command. */
export interface Row {
  readonly name: string;
  readonly section?: string;
  readonly summary: string;
  readonly hidden?: boolean;
  load(): Promise<{ readonly command: CommandSpec | GroupSpec }>;
}

/** Options are typed by the command that declares them; commander delivers what `options` describes. */
export function defineCommand<Options extends object = object>(
  spec: Omit<CommandSpec<Options>, 'kind'>,
): CommandSpec<Options> {
  return { kind: 'command', ...spec };
}
