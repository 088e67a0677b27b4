import { defineCommand } from '../../command.js';
import { writeAnswer } from '../../output/answer.js';
import { formatTable } from '../../output/table.js';
import { timestamp } from '../../output/time.js';

export const command = defineCommand({
  examples: [
    { line: 'mesh deploy history', what: 'newest first' },
    { line: 'mesh deploy history -o json', what: 'for scripts' },
  ],
  output: ['table', 'json', 'yaml', 'name'],
  connects: 'api',
  async run(session) {
    const list = await (await session.api()).deployments();
    const rows = list.items.map((item) => [
      String(item.id),
      timestamp(item.at),
      item.by,
      `+${item.added} -${item.removed}`,
      item.nodes.join(',') || '-',
      item.why || '-',
    ]);
    if (rows.length === 0) session.say('Nothing was deployed yet. See `mesh plan`.');
    await writeAnswer(session, {
      value: list,
      names: list.items.map(({ id }) => String(id)),
      text: rows.length === 0 ? '' : formatTable(['REVISION', 'AT', 'BY', 'INSTANCES', 'NODES', 'WHY'], rows),
    });
  },
});
