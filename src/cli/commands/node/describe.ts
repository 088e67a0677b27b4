import { defineCommand } from '../../command.js';
import { instanceTable } from '../../instance-table.js';
import { agentText, labelsText, oneNode } from '../../node-table.js';
import { writeAnswer } from '../../output/answer.js';
import { formatPairs } from '../../output/table.js';

export const command = defineCommand({
  examples: [
    { line: 'mesh node describe node-a', what: 'machine, agent, instances' },
    { line: 'mesh node describe node-a -o yaml', what: 'the same as data' },
  ],
  arguments: [{ syntax: '<node>', description: 'its name', completes: 'nodes' }],
  output: ['table', 'json', 'yaml'],
  connects: 'api',
  async run(session, [name = '']) {
    const api = await session.api();
    const node = oneNode((await api.nodes()).items, name);
    const instances = (await api.instances({ node: name, namespace: 'all' })).items;
    await writeAnswer(session, {
      value: { apiVersion: 'mesh/v1', kind: 'NodeDescription', node, instances },
      text:
        formatPairs([
          ['Node', node.name],
          ['Address', node.address],
          ['Cluster', node.cluster],
          ['Labels', labelsText(node)],
          [
            'Agent',
            `${agentText(node.agent, session.style)}${node.agentVersion === '' ? '' : ` (${node.agentVersion})`}`,
          ],
          ['Docker', node.docker || '-'],
          ['Compose', node.compose || '-'],
          [
            'Plan',
            node.planRevision === 0 ? 'none yet' : `revision ${node.planRevision}, reached ${node.reachedRevision}`,
          ],
          ['Instances', `${node.healthy} healthy of ${node.desired}`],
          ...node.problems.map((problem) => ['Problem', problem] as const),
        ]) + (instances.length === 0 ? '' : `\n${instanceTable(instances, true, session)}`),
    });
  },
});
