import { defineCommand } from '../../command.js';
import { nodeTable, oneNode } from '../../node-table.js';
import { writeOrWatch } from '../../output/watch.js';

export const command = defineCommand({
  examples: [
    { line: 'mesh node get node-a', what: 'one line' },
    { line: 'mesh node get node-a -o json', what: 'for scripts' },
  ],
  arguments: [{ syntax: '<node>', description: 'its name', completes: 'nodes' }],
  takes: ['watch'],
  output: ['table', 'wide', 'json', 'yaml', 'name'],
  connects: 'api',
  async run(session, [name = '']) {
    const api = await session.api();
    await writeOrWatch(session, async () => {
      const node = oneNode((await api.nodes()).items, name);
      return {
        value: node,
        names: [node.name],
        text: nodeTable([node], session.settings.output === 'wide', session.style),
      };
    });
  },
});
