import { defineCommand } from '../command.js';
import { instanceTable } from '../instance-table.js';
import { writeOrWatch } from '../output/watch.js';

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
  async run(session, [service], options) {
    const { settings } = session;
    const api = await session.api();
    const namespace = settings.allNamespaces ? 'all' : settings.namespace;
    await writeOrWatch(session, async () => {
      const list = await api.instances({ service, namespace, node: options.node });
      if (list.items.length === 0) session.say('No instance. `mesh plan` shows what a deploy would start.');
      return {
        value: list,
        names: list.items.map(({ instance }) => instance),
        text: list.items.length === 0 ? '' : instanceTable(list.items, settings.output === 'wide', session),
      };
    });
  },
});
