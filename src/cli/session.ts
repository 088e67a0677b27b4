/** What one run of a command works with: settings, the two voices, the way to the mesh. */
import { hostname, userInfo } from 'node:os';
import { MeshError } from '../runtime/mesh-error.js';
import type { Api } from './api-client.js';
import type { Io } from './io.js';
import { type Style, styleFor } from './output/color.js';
import type { Settings } from './settings.js';

export interface Session {
  readonly io: Io;
  readonly settings: Settings;
  /** For stdout. */
  readonly style: Style;
  /** For stderr. */
  readonly errorStyle: Style;
  /** Text of the answer, as it is. */
  write(text: string): void;
  /** A line of the conversation; nothing with -q. */
  say(text: string): void;
  /** Connects on first use. */
  api(): Promise<Api>;
  /** Who asks, for the revision. */
  author(why: string | undefined): { readonly by: string; readonly why?: string };
  close(): Promise<void>;
}

export function openSession(settings: Settings, allowColor: boolean, io: Io): Session {
  let connection: Promise<{ api: Api; close(): Promise<void> }> | undefined;
  const connect = async (): Promise<{ api: Api; close(): Promise<void> }> => {
    const { connectApi } = await import('./connect.js');
    return connectApi(settings, io);
  };
  return {
    io,
    settings,
    style: styleFor(io, 'stdout', allowColor),
    errorStyle: styleFor(io, 'stderr', allowColor),
    write: (text) => void io.stdout.write(text),
    say: (text) => {
      if (!settings.quiet) io.stderr.write(`${text}\n`);
    },
    api: async () => (await (connection ??= connect())).api,
    author: (why) => ({ by: authorName(io), ...(why === undefined ? {} : { why }) }),
    close: async () => {
      await (await connection?.catch(() => undefined))?.close();
    },
  };
}

function authorName(io: Io): string {
  return `${io.env['USER'] ?? userName()}@${hostname()}`;
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return 'unknown'; // a container may run under a number that has no name
  }
}

/** Asks before something is lost. Without a terminal and without -y, says what to type instead. */
export async function confirm(session: Session, question: string, commandLine: string): Promise<void> {
  const { settings, io } = session;
  if (settings.yes) return;
  if (!settings.interactive) {
    throw new MeshError('MESH2007', `${question} Nobody can be asked here, so nothing was done`, {
      hint: `type: ${commandLine} -y`,
    });
  }
  io.stderr.write(`${question} [y/N] `);
  if (!/^y(es)?$/i.test((await readLine(io)).trim()))
    throw new MeshError('MESH2030', 'not confirmed, nothing was done');
}

async function readLine(io: Io): Promise<string> {
  let text = '';
  for await (const chunk of io.stdin) {
    text += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8');
    if (text.includes('\n')) break;
  }
  return text.split('\n')[0] ?? '';
}
