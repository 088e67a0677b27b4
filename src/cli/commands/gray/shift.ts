import { defineCommand } from '../../command.js';
import { parseShift } from '../../gray-arguments.js';
import { concludeGray, type GrayOptions, grayFlags, grayOptions, serviceArgument } from '../../gray-request.js';

export const command = defineCommand<GrayOptions>({
  examples: [
    { line: 'mesh gray shift reviews 25', what: 'to 25 %' },
    { line: 'mesh gray shift reviews +10', what: 'ten points more' },
    { line: 'mesh gray shift reviews -5 --wait', what: 'five points less, and wait for the proxies' },
  ],
  arguments: [serviceArgument, { syntax: '<weight>', description: 'N, +N or -N, percent' }],
  options: grayOptions,
  ...grayFlags,
  async run(session, [service = '', weight = ''], options) {
    const api = await session.api();
    const request = { ...session.author(options.message), ...parseShift(weight) };
    await concludeGray(session, await api.grayShift(session.settings.namespace, service, request), options.wait);
  },
});
