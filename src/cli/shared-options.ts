/** Options that several commands declare: one flag, one meaning, one description. */
import type { PilotOptions } from '../pilot/pilot.js';
import type { LogLevel } from '../runtime/logger.js';
import type { OptionSpec } from './command.js';

export const filesOption: OptionSpec = {
  flags: '-f, --file <path...>',
  description: 'files or directories of definitions, - for stdin',
};

export const recursiveOption: OptionSpec = { flags: '-R, --recursive', description: 'enter the directories below' };

export const dryRunOption: OptionSpec = { flags: '--dry-run', description: 'check everything, change nothing' };

export const messageOption: OptionSpec = {
  flags: '-m, --message <why>',
  description: 'the reason, kept in the history',
};

export const waitForProxiesOption: OptionSpec = {
  flags: '--wait',
  description: 'until every proxy has acknowledged it (at most --timeout)',
};

export const dataDirOption: OptionSpec = {
  flags: '--data-dir <dir>',
  description: 'default: $XDG_STATE_HOME/lightmesh or ~/.local/state/lightmesh',
};

export type XdsTransport = NonNullable<PilotOptions['xdsTransport']>;

const xdsTransports: readonly XdsTransport[] = ['http2', 'grpc-js'];
export const xdsTransportOption: OptionSpec = {
  flags: '--xds-transport <name>',
  description: 'what speaks gRPC to them: Node itself, or the library @grpc/grpc-js',
  choices: xdsTransports,
  defaultValue: 'http2',
};

export function logLevelOption(defaultValue: LogLevel): OptionSpec {
  const choices: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent'];
  return { flags: '--log-level <level>', description: 'of the log on stderr', choices, defaultValue };
}
