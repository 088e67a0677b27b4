import type { GrayStatus } from '../../../model/api.js';
import { defineCommand } from '../../command.js';
import { grayList } from '../../gray-list.js';
import type { Answer } from '../../output/answer.js';
import { formatGrayStatus } from '../../output/gray-status.js';
import { writeOrWatch } from '../../output/watch.js';
import type { Session } from '../../session.js';

export const command = defineCommand({
  details: 'What was asked, what was measured from the load reports of Envoy, and how many proxies have it.',
  examples: [
    { line: 'mesh gray status reviews', what: 'one service' },
    { line: 'mesh gray status reviews -w', what: 'and stay' },
    { line: 'mesh gray status', what: 'every release under way' },
  ],
  arguments: [{ syntax: '[service]', description: 'the service; without it, those under way', completes: 'services' }],
  takes: ['namespace', 'watch'],
  output: ['table', 'json', 'yaml', 'name'],
  connects: 'api',
  async run(session, [service]) {
    const api = await session.api();
    await writeOrWatch(session, async () =>
      service === undefined
        ? grayList(session, await api.grayList(), ({ phase }) => phase === 'step' || phase === 'paused')
        : statusAnswer(session, await api.grayStatus(session.settings.namespace, service)),
    );
  },
});

function statusAnswer(session: Session, status: GrayStatus): Answer {
  return {
    value: status,
    names: [`${status.namespace}/${status.service}`],
    text: formatGrayStatus(status, session.style),
  };
}
