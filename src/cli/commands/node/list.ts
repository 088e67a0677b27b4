import { defineCommand } from '../../command.js';
import { nodeTable } from '../../node-table.js';
import { writeOrWatch } from '../../output/watch.js';

export const command = defineCommand({
  details: 'AGENT is ready (its lease lives), lost (it had one), or never (none was seen yet).',
  examples: [
    { line: 'mesh node list', what: 'all nodes' },
    { line: 'mesh node list -o wide -w', what: 'with labels and versions, and stay' },
  ],
  takes: ['watch'],
  output: ['table', 'wide', 'json', 'yaml', 'name'],
  connects: 'api',
  async run(session) {
    const api = await session.api();
    await writeOrWatch(session, async () => {
      const list = await api.nodes();
      if (list.items.length === 0) session.say('No node is defined. See `mesh explain node`.');
      return {
        value: list,
        names: list.items.map(({ name }) => name),
        text: nodeTable(list.items, session.settings.output === 'wide', session.style),
      };
    });
  },
});
