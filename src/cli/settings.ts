/** Global flags, environment and the chosen context become one typed value. Flags win over environment over context. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseDurationMs } from '../model/duration.js';
import { DEFAULT_NAMESPACE } from '../model/names.js';
import { MeshError } from '../runtime/mesh-error.js';
import { type OutputFormat, outputFormats } from './command.js';
import type { Io } from './io.js';

export const DEFAULT_SERVER = 'http://127.0.0.1:7070';
export const DEFAULT_TIMEOUT_MS = 30_000;

/** As commander delivers them. */
export interface GlobalFlags {
  readonly context?: string;
  readonly server?: string;
  readonly store?: string;
  readonly etcdCa?: string;
  readonly etcdCert?: string;
  readonly etcdKey?: string;
  readonly etcdUser?: string;
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
  readonly output?: string;
  readonly selector?: string;
  readonly watch?: boolean;
  readonly timeout?: string;
  readonly yes?: boolean;
  readonly input?: boolean;
  readonly color?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
}

/** How to be let in at etcd. */
export interface EtcdAccess {
  /** Files of `etcds://`. */
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly user: string | undefined;
  readonly password: string | undefined;
}

export interface Settings {
  readonly server: string;
  /** Work on the store itself. */
  readonly store: string | undefined;
  readonly etcd: EtcdAccess;
  readonly namespace: string;
  readonly allNamespaces: boolean;
  readonly output: OutputFormat;
  readonly selector: string | undefined;
  readonly watch: boolean;
  readonly timeoutMs: number;
  /** As given with --timeout; undefined where a command may choose how long it waits. */
  readonly givenTimeoutMs: number | undefined;
  readonly yes: boolean;
  /** May questions be asked? */
  readonly interactive: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
}

interface Context {
  readonly server?: string;
  readonly store?: string;
  readonly namespace?: string;
}

export async function resolveSettings(flags: GlobalFlags, io: Io): Promise<Settings> {
  const context = await readContext(flags.context, io);
  const server = flags.server ?? io.env['MESH_SERVER'] ?? context.server ?? DEFAULT_SERVER;
  if (!/^https?:\/\/[^\s/]+/.test(server)) {
    throw new MeshError('MESH2007', `--server "${server}" is not a URL`, { hint: `write it as ${DEFAULT_SERVER}` });
  }
  // A server that was named on this command line is meant, whatever the context says about a store.
  const store = flags.store ?? (flags.server === undefined ? context.store : undefined);
  return {
    server: server.replace(/\/+$/, ''),
    store,
    etcd: etcdAccess(flags, io.env),
    namespace: flags.namespace ?? context.namespace ?? DEFAULT_NAMESPACE,
    allNamespaces: flags.allNamespaces ?? false,
    output: outputFormat(flags.output),
    selector: flags.selector,
    watch: flags.watch ?? false,
    timeoutMs: timeoutMs(flags.timeout) ?? DEFAULT_TIMEOUT_MS,
    givenTimeoutMs: timeoutMs(flags.timeout),
    yes: flags.yes ?? false,
    interactive: io.isTTY.stdin && io.isTTY.stderr && flags.input !== false,
    quiet: flags.quiet ?? false,
    verbose: flags.verbose ?? false,
  };
}

/** For commands that are nothing without one. */
export function requireStore(settings: Settings): string {
  if (settings.store !== undefined) return settings.store;
  throw new MeshError('MESH2007', '--store is missing', {
    hint: 'such as --store etcd://10.0.0.4:2379, or embedded:DIR on one machine',
  });
}

/** The password has no flag: arguments of a process are there for everybody to read. */
function etcdAccess(flags: GlobalFlags, env: Io['env']): EtcdAccess {
  return {
    ca: flags.etcdCa ?? env['MESH_ETCD_CA'],
    cert: flags.etcdCert ?? env['MESH_ETCD_CERT'],
    key: flags.etcdKey ?? env['MESH_ETCD_KEY'],
    user: flags.etcdUser ?? env['MESH_ETCD_USER'],
    password: env['MESH_ETCD_PASSWORD'],
  };
}

function outputFormat(text: string | undefined): OutputFormat {
  const found = outputFormats.find((format) => format === (text ?? 'table'));
  if (found === undefined) {
    throw new MeshError('MESH2007', `-o "${text}" is not known`, { hint: `one of ${outputFormats.join(', ')}` });
  }
  return found;
}

function timeoutMs(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = parseDurationMs(text);
  if (ms === undefined || ms === 0) {
    throw new MeshError('MESH2007', `--timeout "${text}" is not a duration`, { hint: 'such as 10s, 1.5s or 2m' });
  }
  return ms;
}

export function configDir(io: Pick<Io, 'env' | 'cwd'>): string {
  return join(io.env['XDG_CONFIG_HOME'] || join(io.env['HOME'] ?? io.cwd, '.config'), 'lightmesh');
}

/** `contexts: { NAME: { server, store, namespace } }` and `current: NAME`. A missing file is an empty one. */
async function readContext(wanted: string | undefined, io: Io): Promise<Context> {
  const file = join(configDir(io), 'config.yaml');
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new MeshError('MESH2007', `could not read ${file}: ${error.message}`);
  });
  if (text === undefined) {
    if (wanted === undefined) return {};
    throw new MeshError('MESH2007', `there is no context "${wanted}": ${file} does not exist`, {
      hint: `write there: contexts: { ${wanted}: { server: ${DEFAULT_SERVER}, namespace: default } }`,
    });
  }
  const { parseContexts } = await import('./contexts.js');
  return parseContexts(text, file, wanted);
}
