import { defineCommand } from '../../command.js';
import { concludeGray, type GrayOptions, grayFlags, grayOptions, serviceArgument } from '../../gray-request.js';

export const command = defineCommand<GrayOptions>({
  details: 'Keeps the weight; nothing moves it until `resume`.',
  examples: [
    { line: 'mesh gray pause reviews', what: 'hold' },
    { line: 'mesh gray pause reviews -m "looking at the errors"', what: 'and say why' },
  ],
  arguments: [serviceArgument],
  options: grayOptions,
  ...grayFlags,
  async run(session, [service = ''], options) {
    const api = await session.api();
    const author = session.author(options.message);
    const response = await api.grayCommand(session.settings.namespace, service, 'pause', author);
    await concludeGray(session, response, options.wait);
  },
});
