import { once } from 'node:events';
import type { LogLevel } from '../../runtime/logger.js';
import { defineCommand } from '../command.js';
import { requireStore } from '../settings.js';
import { logLevelOption, type XdsTransport, xdsTransportOption } from '../shared-options.js';

interface Options {
  readonly http: string;
  readonly xds: string;
  readonly xdsTransport: XdsTransport;
  readonly advertise?: string;
  readonly trustedNetwork?: readonly string[];
  readonly id?: string;
  readonly logLevel: LogLevel;
}

export const command = defineCommand<Options>({
  details: 'Any number of them may run on one store; each serves every proxy the same. Logs are JSON lines on stderr.',
  examples: [
    { line: 'mesh pilot --store etcd://10.0.0.4:2379', what: 'on this machine only' },
    {
      line: 'mesh pilot --store etcd://10.0.0.4:2379 --http 10.0.0.5:7070 --xds 10.0.0.5:7071 --trusted-network 10.0.0.0/8',
      what: 'for an intranet, in plain text',
    },
  ],
  options: [
    { flags: '--http <address>', description: 'of the HTTP API', defaultValue: '127.0.0.1:7070' },
    { flags: '--xds <address>', description: 'where the sidecars connect', defaultValue: '127.0.0.1:7071' },
    xdsTransportOption,
    { flags: '--advertise <host>', description: 'host at which nodes reach it (default: those of --http and --xds)' },
    {
      flags: '--trusted-network <cidr>',
      description: 'source addresses from which plain text is accepted; repeatable, or with commas',
      repeats: true,
    },
    { flags: '--id <name>', description: 'unique among the pilots (default: host and port of xDS)' },
    logLevelOption('info'),
  ],
  connects: 'store',
  async run(session, _args, options) {
    const { io, settings } = session;
    const url = requireStore(settings);
    const { createLogger } = await import('../../runtime/logger.js');
    const { startPilot } = await import('../../pilot/pilot.js');
    const { openMeshStore } = await import('../mesh-store.js');
    const { watchLoop } = await import('../loop-watch.js');
    const { pilotId } = await import('../host-name.js');
    const { packageVersion } = await import('../version.js');
    const log = createLogger('pilot', options.logLevel);
    watchLoop('pilot', io);
    const store = await openMeshStore({ url, settings, cwd: io.cwd, clock: io.clock, log });
    try {
      const networks = (options.trustedNetwork ?? []).flatMap((text) => text.split(','));
      const pilot = await startPilot({
        store,
        http: options.http,
        xds: options.xds,
        xdsTransport: options.xdsTransport,
        ...(options.advertise === undefined ? {} : { advertise: options.advertise }),
        ...(networks.length === 0 ? {} : { trustedNetworks: networks }),
        id: options.id ?? pilotId(options.xds),
        version: packageVersion(),
        clock: io.clock,
        log,
      });
      session.say(`pilot ${pilot.id}: API http://${pilot.httpAddress}, xDS ${pilot.xdsAddress}, ${store.description}`);
      if (!io.signal.aborted) await once(io.signal, 'abort');
      await pilot.close();
    } finally {
      await store.close();
    }
  },
});
