import { proxyConfigTypes } from '../../../model/api.js';
import { suggestion } from '../../../model/suggestion.js';
import { MeshError } from '../../../runtime/mesh-error.js';
import { defineCommand } from '../../command.js';
import { oneProxy } from '../../find-proxy.js';
import { writeAnswer } from '../../output/answer.js';
import { formatTable } from '../../output/table.js';

const types: readonly string[] = [...proxyConfigTypes, 'all'];

export const command = defineCommand({
  details: 'As the pilot serves it. The table names the resources; -o json or yaml shows them whole.',
  examples: [
    { line: 'mesh proxy config clusters reviews-v1-7', what: 'names and versions' },
    { line: 'mesh proxy config routes productpage -o yaml', what: 'whole resources, as Envoy reads them' },
  ],
  arguments: [
    { syntax: '<type>', description: types.join(', ') },
    { syntax: '<proxy>', description: 'an id or a unique part of it', completes: 'proxies' },
  ],
  output: ['table', 'json', 'yaml', 'name'],
  connects: 'api',
  async run(session, [type = '', wanted = '']) {
    if (!types.includes(type)) {
      throw new MeshError('MESH2007', `there is no type "${type}"`, { hint: suggestion(type, types) });
    }
    const api = await session.api();
    const { proxy } = oneProxy((await api.proxies()).items, wanted);
    const config = await api.proxyConfig(proxy, type);
    const rows = Object.entries(config.resources).flatMap(([kind, resources]) =>
      resources.map(({ name, version }) => [kind, name, version]),
    );
    await writeAnswer(session, {
      value: config,
      names: rows.map(([, name]) => name ?? ''),
      text: formatTable(['TYPE', 'NAME', 'VERSION'], rows),
    });
  },
});
