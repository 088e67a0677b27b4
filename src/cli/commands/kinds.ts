import { byText } from '../../model/order.js';
import { defineCommand } from '../command.js';
import { loadKinds } from '../kind-words.js';
import { writeAnswer } from '../output/answer.js';
import { formatTable } from '../output/table.js';

export const command = defineCommand({
  examples: [
    { line: 'mesh kinds', what: 'what can be defined, and the short names' },
    { line: 'mesh kinds -o name', what: 'for scripts' },
  ],
  output: ['table', 'json', 'yaml', 'name'],
  async run(session) {
    const kinds = (await loadKinds()).toSorted(byText(({ kind }) => kind));
    await writeAnswer(session, {
      value: {
        apiVersion: 'mesh/v1',
        kind: 'KindList',
        items: kinds.map(({ kind, plural, aliases, apiVersions, namespaced, summary }) => ({
          kind,
          plural,
          aliases,
          apiVersions,
          namespaced,
          summary,
        })),
      },
      names: kinds.map(({ plural }) => plural),
      text: formatTable(
        ['KIND', 'PLURAL', 'SHORT', 'APIVERSION', 'NAMESPACED', 'SUMMARY'],
        kinds.map((kind) => [
          kind.kind,
          kind.plural,
          kind.aliases.join(',') || '-',
          kind.apiVersions[0] ?? '',
          kind.namespaced ? 'yes' : 'no',
          kind.summary,
        ]),
      ),
    });
  },
});
