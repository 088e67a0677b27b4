import { defineCommand } from '../../command.js';
import { concludeGray, type GrayOptions, grayFlags, grayOptions, serviceArgument } from '../../gray-request.js';

export const command = defineCommand<GrayOptions>({
  details: 'A promoted release ceases to stand in for the definitions: the old version is the stable one again.',
  examples: [
    { line: 'mesh gray undo reviews', what: 'after a promotion that was wrong' },
    { line: 'mesh gray undo reviews --wait', what: 'and wait for the proxies' },
  ],
  arguments: [serviceArgument],
  options: grayOptions,
  ...grayFlags,
  async run(session, [service = ''], options) {
    const api = await session.api();
    const author = session.author(options.message);
    const response = await api.grayCommand(session.settings.namespace, service, 'undo', author);
    await concludeGray(session, response, options.wait);
  },
});
