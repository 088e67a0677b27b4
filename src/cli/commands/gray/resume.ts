import { defineCommand } from '../../command.js';
import { concludeGray, type GrayOptions, grayFlags, grayOptions, serviceArgument } from '../../gray-request.js';

export const command = defineCommand<GrayOptions>({
  details: 'Goes on from the weight at which it was paused.',
  examples: [
    { line: 'mesh gray resume reviews', what: 'go on' },
    { line: 'mesh gray resume reviews -m "was the database"', what: 'and say why' },
  ],
  arguments: [serviceArgument],
  options: grayOptions,
  ...grayFlags,
  async run(session, [service = ''], options) {
    const api = await session.api();
    const author = session.author(options.message);
    const response = await api.grayCommand(session.settings.namespace, service, 'resume', author);
    await concludeGray(session, response, options.wait);
  },
});
