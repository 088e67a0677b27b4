import { MeshError } from '../../runtime/mesh-error.js';
import { defineCommand } from '../command.js';

export interface LogsOptions {
  readonly follow?: boolean;
  readonly version?: string;
  readonly node?: string;
  readonly proxy?: boolean;
  readonly access?: boolean;
  readonly tail?: string;
}

export const command = defineCommand<LogsOptions>({
  details:
    'Of the containers on this machine, by their labels: it works without a pilot. Instances elsewhere are named.',
  examples: [
    { line: 'mesh logs reviews', what: 'of all its instances here' },
    { line: 'mesh logs reviews -f --version v2', what: 'of one version, and stay' },
    { line: 'mesh logs reviews --access', what: 'one line per request that its sidecars saw' },
  ],
  arguments: [{ syntax: '<service>', description: 'the service', completes: 'services' }],
  options: [
    { flags: '-f, --follow', description: 'stay and show what comes' },
    { flags: '--version <version>', description: 'only instances of this version' },
    { flags: '--node <name>', description: 'only instances on this node', completes: 'nodes' },
    { flags: '--proxy', description: "the sidecar's own messages" },
    { flags: '--access', description: "the sidecar's access log" },
    { flags: '--tail <lines>', description: 'so many from the end (default: all)' },
  ],
  takes: ['namespace'],
  connects: 'api',
  async run(session, [service = ''], options) {
    if (options.proxy === true && options.access === true) {
      throw new MeshError('MESH2007', '--proxy and --access are two different outputs of the sidecar', {
        hint: 'choose one of them',
      });
    }
    if (options.tail !== undefined && !/^\d+$/.test(options.tail)) {
      throw new MeshError('MESH2007', `--tail "${options.tail}" is not a number of lines`);
    }
    const { showLogs } = await import('../container-logs.js');
    await showLogs(session, service, options);
  },
});
