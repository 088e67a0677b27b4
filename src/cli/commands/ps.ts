import { defineCommand } from '../command.js';
import { listInstances } from '../instance-list.js';

interface Options {
  readonly node?: string;
}

export const command = defineCommand<Options>({
  examples: [
    { line: 'mesh ps', what: 'every instance of the namespace' },
    { line: 'mesh ps reviews -w', what: 'of one service, and stay' },
    { line: 'mesh ps -A --node node-a -o wide', what: 'of one node, with ports and reasons' },
  ],
  arguments: [{ syntax: '[service]', description: 'only its instances', completes: 'services' }],
  options: [{ flags: '--node <name>', description: 'only what runs there', completes: 'nodes' }],
  takes: ['namespace', 'allNamespaces', 'watch'],
  output: ['table', 'wide', 'json', 'yaml', 'name'],
  connects: 'api',
  run: (session, [service], options) => listInstances(session, { service, node: options.node }),
});
