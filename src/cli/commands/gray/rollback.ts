import { defineCommand } from '../../command.js';
import { concludeGray, type GrayOptions, grayFlags, grayOptions, serviceArgument } from '../../gray-request.js';

export const command = defineCommand<GrayOptions>({
  details: 'Traffic first: the overlay goes, the containers stay until the next deploy.',
  examples: [
    { line: 'mesh gray rollback reviews', what: 'back to the old version' },
    { line: 'mesh gray rollback reviews -m "errors" --wait', what: 'with the reason, and wait for the proxies' },
  ],
  arguments: [serviceArgument],
  options: grayOptions,
  ...grayFlags,
  async run(session, [service = ''], options) {
    const api = await session.api();
    const author = session.author(options.message);
    const response = await api.grayCommand(session.settings.namespace, service, 'rollback', author);
    await concludeGray(session, response, options.wait);
  },
});
