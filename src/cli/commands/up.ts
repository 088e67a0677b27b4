import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import type { LogLevel } from '../../runtime/logger.js';
import { MeshError } from '../../runtime/mesh-error.js';
import { defineCommand } from '../command.js';
import type { Session } from '../session.js';
import {
  dataDirOption,
  logLevelOption,
  recursiveOption,
  type XdsTransport,
  xdsTransportOption,
} from '../shared-options.js';
import { dataDirOf, isRunning, readUpState } from '../up-state.js';

export interface UpOptions {
  readonly file?: readonly string[];
  readonly recursive?: boolean;
  readonly detach?: boolean;
  readonly dataDir?: string;
  readonly listen: string;
  readonly xds: string;
  readonly xdsTransport: XdsTransport;
  readonly etcd?: string;
  readonly quota?: string;
  readonly logLevel: LogLevel;
}

export const command = defineCommand<UpOptions>({
  details:
    'Store, pilot and one agent for every node of this machine, in one process. Without any Node it defines one named after the host, in Cluster "local". Ctrl-C stops it; containers keep running until `mesh down`.',
  examples: [
    { line: 'mesh up', what: 'in the foreground' },
    { line: 'mesh up -f world.yaml --detach', what: 'apply and deploy a file, stay in the background' },
    { line: 'mesh up --etcd etcd://10.0.0.4:2379', what: 'on a real etcd instead of the embedded store' },
  ],
  options: [
    { flags: '-f, --file <path...>', description: 'apply these files and deploy them' },
    recursiveOption,
    { flags: '--detach', description: 'run in the background, return when it is ready' },
    dataDirOption,
    { flags: '--listen <address>', description: 'of the HTTP API', defaultValue: '127.0.0.1:7070' },
    { flags: '--xds <address>', description: 'where the sidecars connect', defaultValue: '127.0.0.1:7071' },
    xdsTransportOption,
    { flags: '--etcd <url>', description: 'etcd://host:port[,host:port…] instead of the embedded store' },
    { flags: '--quota <size>', description: 'of the embedded store, such as 512MiB (default: 2GiB)' },
    logLevelOption('warn'),
  ],
  async run(session, _args, options) {
    if (options.etcd !== undefined && options.quota !== undefined) {
      throw new MeshError('MESH2007', '--quota is of the embedded store, and --etcd takes its place', {
        hint: 'start etcd with --quota-backend-bytes instead',
      });
    }
    const dataDir = dataDirOf(options.dataDir, session.io);
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    const before = await readUpState(dataDir);
    if (before !== undefined && (await isRunning(before))) {
      throw new MeshError('MESH2011', `a mesh runs here already: process ${before.pid}, data directory ${dataDir}`, {
        hint: 'use it (`mesh status`), stop it (`mesh down`), or choose another --data-dir',
      });
    }
    if (options.detach === true) {
      const { upDetached } = await import('../up-detached.js');
      await upDetached(session, options, dataDir);
      return;
    }
    const { watchLoop } = await import('../loop-watch.js');
    watchLoop('mesh up', session.io);
    const { upForeground } = await import('../up-foreground.js');
    const mesh = await upForeground(session, options, dataDir);
    await untilInterrupted(session);
    session.say('Stopping …');
    await mesh.close();
    session.say('Stopped. Containers keep running: `mesh up` takes them over, `mesh down` removes them.');
  },
});

async function untilInterrupted({ io }: Session): Promise<void> {
  if (!io.signal.aborted) await once(io.signal, 'abort');
}
