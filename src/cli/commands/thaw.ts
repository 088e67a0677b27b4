import type { FreezeItem } from '../../model/api.js';
import { MESH_SCOPE } from '../../model/eviction.js';
import { fullName } from '../../model/names.js';
import { defineCommand } from '../command.js';
import { writeAnswer } from '../output/answer.js';
import { confirm } from '../session.js';
import { messageOption } from '../shared-options.js';

interface Options {
  readonly message?: string;
}

export const command = defineCommand<Options>({
  details:
    'When too many instances vanish together, the mesh removes none of them: it may be the store or the network that is in trouble. It thaws by itself when they are back. This says that they are really gone. Without a service: everything that is frozen.',
  examples: [
    { line: 'mesh thaw reviews', what: 'its missing instances (`mesh status`) are really gone' },
    { line: 'mesh thaw -y -m "rack 7 burnt down"', what: 'all that is frozen, without a question' },
  ],
  arguments: [{ syntax: '[service]', description: 'only this service', completes: 'services' }],
  options: [messageOption],
  takes: ['namespace'],
  output: ['table', 'json', 'yaml'],
  connects: 'api',
  async run(session, [service], { message }) {
    const { namespace } = session.settings;
    const api = await session.api();
    const { frozen } = await api.evictions();
    const scope = service === undefined ? undefined : fullName(namespace, service);
    const chosen = frozen.filter((item) => item.thaw === undefined && (scope === undefined || item.scope === scope));
    if (chosen.length > 0) {
      const line = `mesh thaw${service === undefined ? '' : ` ${service} -n ${namespace}`}`;
      await confirm(session, `${describe(chosen)} Remove those that are missing?`, line);
    }
    const request = { ...session.author(message), ...(service === undefined ? {} : { namespace, service }) };
    const answer = await api.thaw(request);
    const thawed = answer.thawed.map((item) => item.scope);
    await writeAnswer(session, {
      value: { apiVersion: 'mesh/v1', kind: 'ThawResult', ...answer },
      text: thawed.length === 0 ? '' : `thawed: ${thawed.join(', ')}\n`,
    });
    if (thawed.length === 0) session.say(`${scope ?? 'Nothing'} is${scope === undefined ? '' : ' not'} frozen.`);
    if (answer.stillFrozen.includes(MESH_SCOPE)) session.say('The whole mesh is frozen too, and stays so: mesh thaw');
    if (thawed.length > 0) session.say('The leader removes those that were missing. Next: mesh status');
  },
});

function describe(frozen: readonly FreezeItem[]): string {
  return frozen.map(({ scope, why }) => `${scope}: ${why}.`).join(' ');
}
