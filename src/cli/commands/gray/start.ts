import { MeshError } from '../../../runtime/mesh-error.js';
import { defineCommand } from '../../command.js';
import { parseMatch, parseSteps, parseWeight } from '../../gray-arguments.js';
import { concludeGray, type GrayOptions, grayFlags, grayOptions, serviceArgument } from '../../gray-request.js';

interface Options extends GrayOptions {
  readonly to?: string;
  readonly from?: string;
  readonly weight?: string;
  readonly steps?: string;
  readonly match?: readonly string[];
}

export const command = defineCommand<Options>({
  examples: [
    { line: 'mesh gray start reviews --to v2 --weight 10', what: 'a tenth of the requests' },
    { line: 'mesh gray start reviews --to v2 --steps 1,5,25,50,100', what: 'then `promote` from step to step' },
    { line: 'mesh gray start reviews --to v2 --match header:x-user=jason', what: 'one user, nobody else' },
  ],
  arguments: [serviceArgument],
  options: [
    { flags: '--to <version>', description: 'the new version' },
    { flags: '--from <version>', description: 'the old one (default: the stable version)' },
    { flags: '--weight <percent>', description: 'share of plain requests for the new version, 0 to 100' },
    { flags: '--steps <list>', description: 'weights that `promote` walks through, such as 1,5,25,50,100' },
    {
      flags: '--match <header:name=value>',
      description: 'always the new version for these; repeatable, all must hold',
      repeats: true,
    },
    ...grayOptions,
  ],
  ...grayFlags,
  async run(session, [service = ''], options) {
    if (options.to === undefined) {
      throw new MeshError('MESH2007', '--to is missing: which version is the new one?', {
        hint: `mesh get versions lists them, then: mesh gray start ${service} --to VERSION --weight 10`,
      });
    }
    if (options.weight !== undefined && options.steps !== undefined) {
      throw new MeshError('MESH2007', '--weight and --steps both say how much to begin with', {
        hint: 'give one of them: --steps begins with its first',
      });
    }
    const api = await session.api();
    const response = await api.grayStart(session.settings.namespace, service, {
      ...session.author(options.message),
      to: options.to,
      ...(options.from === undefined ? {} : { from: options.from }),
      ...(options.weight === undefined ? {} : { weight: parseWeight(options.weight) }),
      ...(options.steps === undefined ? {} : { steps: parseSteps(options.steps) }),
      ...(options.match === undefined ? {} : { matches: options.match.map(parseMatch) }),
    });
    await concludeGray(session, response, options.wait);
  },
});
