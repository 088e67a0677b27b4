/** The host's own compose command: `docker compose` (v2 and newer) or `docker-compose` (v1). */
import { readFile } from 'node:fs/promises';
import { MeshError, messageOf } from '../runtime/mesh-error.js';
import { runCommand } from './command.js';
import { writeIfDifferent } from './files.js';

/** In the order in which they are looked for. */
const CANDIDATES: readonly (readonly string[])[] = [['docker', 'compose'], ['docker-compose']];
const DETECT_LIMIT_MS = 20_000;
/** It may pull images, and it waits for sidecars to become healthy. */
const UP_LIMIT_MS = 10 * 60_000;
const REASON_LINES = 4;
const MAX_REASON_CHARS = 500;

export interface ComposeCommand {
  readonly command: readonly string[];
  /** Such as `1.29.2`. */
  readonly version: string;
}

export interface Compose {
  /** For people: `docker-compose 1.29.2`. */
  readonly description: string;
  /** Creates and starts these services of the file and what they depend on; running ones are left alone. */
  up(project: string, file: string, services: readonly string[], signal: AbortSignal): Promise<void>;
}

export interface ComposeOptions {
  readonly dockerHost: string;
  /** Where the choice is remembered. */
  readonly memoryFile: string;
  /** Of this process, for PATH and the like. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The user's word, which overrules what is remembered. */
  readonly command?: readonly string[] | undefined;
}

/**
 * v1 and v2 hash a service's configuration differently and name containers differently, so a silent change of tool could
 * make every container again. What was used once is used until the user says otherwise.
 */
export async function openCompose(options: ComposeOptions, signal: AbortSignal): Promise<Compose> {
  const env = { ...options.env, DOCKER_HOST: options.dockerHost, COMPOSE_IGNORE_ORPHANS: 'true' };
  const chosen = await choose(options, env, signal);
  const description = `${chosen.command.join(' ')} ${chosen.version}`;
  return {
    description,
    async up(project, file, services, upSignal) {
      const args = ['-p', project, '-f', file, 'up', '-d', '--no-recreate', '--no-build', ...services];
      const what = `bring up ${services.join(', ')} with ${description}`;
      const result = await run([...chosen.command, ...args], env, UP_LIMIT_MS, what, upSignal);
      if (result.status === 0) return;
      throw new MeshError('MESH2009', `could not ${what}: ${reasonOf(result.stderr)}`, { retryable: true });
    },
  };
}

async function choose(
  options: ComposeOptions,
  env: ComposeOptions['env'],
  signal: AbortSignal,
): Promise<ComposeCommand> {
  const remembered = await readMemory(options.memoryFile);
  const candidates = options.command ?? remembered?.command;
  for (const command of candidates === undefined ? CANDIDATES : [candidates]) {
    const version = await versionOf(command, env, signal);
    if (version === undefined) continue;
    const found = { command, version };
    if (options.command === undefined) refuseToFlip(remembered, found);
    await writeIfDifferent(options.memoryFile, `${JSON.stringify(found)}\n`);
    return found;
  }
  if (options.command === undefined && remembered !== undefined) {
    throw new MeshError(
      'MESH2009',
      `${remembered.command.join(' ')}, which this node was set up with, does not run any more`,
      {
        hint: 'install it again, or name another one with --compose-command: containers are then left as they are',
      },
    );
  }
  const tried = (options.command === undefined ? CANDIDATES : [options.command]).map((command) => command.join(' '));
  throw new MeshError('MESH2009', `no compose command found, tried: ${tried.join(', ')}`, {
    hint: 'install docker-compose, or the compose plugin of Docker',
  });
}

/** The same name may hide another generation: Debian's `docker-compose` became v2 one day. */
function refuseToFlip(remembered: ComposeCommand | undefined, found: ComposeCommand): void {
  if (remembered === undefined || isV1(remembered) === isV1(found)) return;
  const name = found.command.join(' ');
  throw new MeshError(
    'MESH2009',
    `${name} was ${remembered.version} when this node was set up and is ${found.version} now`,
    {
      hint: 'name the command with --compose-command to accept the change: containers are then left as they are',
    },
  );
}

function isV1({ version }: ComposeCommand): boolean {
  return /^v?1\./.test(version);
}

async function versionOf(
  command: readonly string[],
  env: ComposeOptions['env'],
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const result = await runCommand([...command, 'version', '--short'], { env, timeoutMs: DETECT_LIMIT_MS }, signal);
    return result.status === 0 ? result.stdout.trim() : undefined;
  } catch (error) {
    if (signal.aborted) throw error;
    return undefined; // not installed
  }
}

async function readMemory(file: string): Promise<ComposeCommand | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch {
    return undefined; // the first start on this node
  }
  try {
    return JSON.parse(text) as ComposeCommand; // we wrote it
  } catch (error) {
    throw new MeshError('MESH2009', `${file} is damaged: ${messageOf(error)}`, { hint: 'delete it', cause: error });
  }
}

async function run(
  command: readonly string[],
  env: ComposeOptions['env'],
  timeoutMs: number,
  what: string,
  signal: AbortSignal,
): ReturnType<typeof runCommand> {
  try {
    return await runCommand(command, { env, timeoutMs }, signal);
  } catch (error) {
    if (signal.aborted) throw error;
    throw new MeshError('MESH2009', `could not ${what}: ${messageOf(error)}`, { cause: error, retryable: true });
  }
}

/** The end of what it says, without the progress of what went well. */
function reasonOf(stderr: string): string {
  const lines = stderr.split(/[\r\n]+/).map((line) => line.trim());
  const chosen = lines.filter(
    (line) => line !== '' && !/\.\.\. done$|is up-to-date$| (Running|Started|Healthy)$/.test(line),
  );
  return [...new Set(chosen)].slice(-REASON_LINES).join(' / ').slice(0, MAX_REASON_CHARS) || 'it said nothing';
}
