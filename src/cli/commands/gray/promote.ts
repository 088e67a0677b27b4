import { defineCommand } from '../../command.js';
import { concludeGray, type GrayOptions, grayFlags, grayOptions, serviceArgument } from '../../gray-request.js';

interface Options extends GrayOptions {
  readonly full?: boolean;
}

export const command = defineCommand<Options>({
  details: 'Promotion relabels, it copies nothing: the new version becomes the stable one for plain traffic.',
  examples: [
    { line: 'mesh gray promote reviews', what: 'the next of its steps' },
    { line: 'mesh gray promote reviews --full', what: 'all traffic at once' },
  ],
  arguments: [serviceArgument],
  options: [{ flags: '--full', description: 'skip the remaining steps' }, ...grayOptions],
  ...grayFlags,
  async run(session, [service = ''], options) {
    const api = await session.api();
    const request = { ...session.author(options.message), ...(options.full === true ? { full: true } : {}) };
    const response = await api.grayCommand(session.settings.namespace, service, 'promote', request);
    await concludeGray(session, response, options.wait);
  },
});
