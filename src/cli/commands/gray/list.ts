import { defineCommand } from '../../command.js';
import { grayList } from '../../gray-list.js';
import { writeOrWatch } from '../../output/watch.js';

interface Options {
  readonly active?: boolean;
}

export const command = defineCommand<Options>({
  details: 'The last release of every service, of every namespace, whatever became of it.',
  examples: [
    { line: 'mesh gray list', what: 'all' },
    { line: 'mesh gray list --active -o json', what: 'those under way, for scripts' },
  ],
  options: [{ flags: '--active', description: 'only those that move traffic now' }],
  takes: ['watch'],
  output: ['table', 'json', 'yaml', 'name'],
  connects: 'api',
  async run(session, _args, options) {
    const api = await session.api();
    const shows = ({ phase }: { phase: string }): boolean =>
      options.active !== true || phase === 'step' || phase === 'paused';
    await writeOrWatch(session, async () => grayList(session, await api.grayList(), shows));
  },
});
