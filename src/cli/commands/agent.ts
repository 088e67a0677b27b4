import { once } from 'node:events';
import type { LogLevel } from '../../runtime/logger.js';
import { MeshError } from '../../runtime/mesh-error.js';
import { defineCommand } from '../command.js';
import { requireStore } from '../settings.js';
import { dataDirOption, logLevelOption } from '../shared-options.js';
import { dataDirOf } from '../up-state.js';

interface Options {
  readonly node?: string;
  readonly once?: boolean;
  readonly dataDir?: string;
  readonly logLevel: LogLevel;
}

export const command = defineCommand<Options>({
  details:
    'Makes the containers of a node be what the deployed plan says, and registers what serves. When it ends, containers go on serving; started again within the lease, it takes over without a gap. Logs are JSON lines on stderr.',
  examples: [
    { line: 'mesh agent --store etcd://10.0.0.4:2379 --node node-a', what: 'on the machine of node-a' },
    { line: 'mesh agent --store etcd://10.0.0.4:2379 --node node-a --once', what: 'reach the plan, then end' },
  ],
  options: [
    { flags: '--node <name>', description: 'which Node this machine is' },
    { flags: '--once', description: 'end when the plan is reached (at most --timeout)' },
    dataDirOption,
    logLevelOption('info'),
  ],
  connects: 'store',
  async run(session, _args, options) {
    const { io, settings } = session;
    const url = requireStore(settings);
    if (options.node === undefined) {
      throw new MeshError('MESH2007', '--node is missing', { hint: 'the name of the Node that this machine is' });
    }
    const { openStorePatiently } = await import('../patient-store.js');
    const { watchLoop } = await import('../loop-watch.js');
    const { createLogger } = await import('../../runtime/logger.js');
    const { serveLastGood, startAgent } = await import('../../agent/agent.js');
    const { packageVersion } = await import('../version.js');
    const log = createLogger('agent', options.logLevel);
    const { clock, env, cwd, signal } = io;
    const dataDir = dataDirOf(options.dataDir, io);
    watchLoop('agent', io);
    // Before the store, which may be away: sidecars that find no pilot have nobody else.
    const lastGood = await serveLastGood({ dataDir, node: options.node, clock, log });
    try {
      const patient = options.once === true ? [] : [lastGood];
      const store = await openStorePatiently({ url, settings, cwd, clock, log }, patient, signal);
      try {
        const dockerHost = env['DOCKER_HOST'];
        const version = packageVersion();
        const agent = await startAgent(
          { node: options.node, store, lastGood, dataDir, dockerHost, env, version, clock, log },
          signal,
        );
        try {
          session.say(`agent of ${options.node}: ${store.description}, files in ${dataDir}/${options.node}`);
          if (options.once === true) {
            const limit = AbortSignal.any([signal, AbortSignal.timeout(settings.timeoutMs)]);
            const { reachedRevision } = await agent.whenReached(undefined, limit).catch((error: unknown) => {
              throw signal.aborted ? error : notReached(options.node as string, agent.progress().problems, error);
            });
            session.say(`Reached revision ${reachedRevision}.`);
          } else await untilEnded(signal, agent.taken);
        } finally {
          await agent.close();
        }
      } finally {
        await store.close();
      }
    } finally {
      await lastGood.close();
    }
  },
});

/** Resolves when interrupted; throws when another agent has taken the node. */
async function untilEnded(signal: AbortSignal, taken: AbortSignal): Promise<void> {
  const either = AbortSignal.any([signal, taken]);
  if (!either.aborted) await once(either, 'abort');
  taken.throwIfAborted();
}

function notReached(node: string, problems: readonly string[], cause: unknown): MeshError {
  return new MeshError('MESH2013', `${node} has not reached its plan: ${problems.join('; ') || 'still at work'}`, {
    cause,
    hint: 'wait longer with --timeout',
  });
}
