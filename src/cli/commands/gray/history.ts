import { defineCommand } from '../../command.js';
import { serviceArgument } from '../../gray-request.js';
import { writeAnswer } from '../../output/answer.js';
import { formatTable } from '../../output/table.js';
import { timestamp } from '../../output/time.js';

export const command = defineCommand({
  details: 'Transitions of all its releases, newest first.',
  examples: [
    { line: 'mesh gray history reviews', what: 'who moved what, when and why' },
    { line: 'mesh gray history reviews -o json', what: 'for scripts' },
  ],
  arguments: [serviceArgument],
  takes: ['namespace'],
  output: ['table', 'json', 'yaml'],
  connects: 'api',
  async run(session, [service = '']) {
    const list = await (await session.api()).grayHistory(session.settings.namespace, service);
    const rows = list.items.map((item) => [
      String(item.revision),
      timestamp(item.at),
      item.by,
      `${item.stable} ${session.style.symbol.to} ${item.gray}`,
      item.phase,
      `${item.weight} %`,
      item.reason || '-',
    ]);
    if (rows.length === 0) session.say(`${service} has had no gray release.`);
    await writeAnswer(session, {
      value: list,
      text:
        rows.length === 0 ? '' : formatTable(['REVISION', 'AT', 'BY', 'RELEASE', 'PHASE', 'WEIGHT', 'REASON'], rows),
    });
  },
});
