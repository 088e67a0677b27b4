import type { GroupSpec } from '../command.js';

export const command: GroupSpec = {
  kind: 'group',
  examples: [
    { line: 'mesh node list', what: 'machines, their agents, what runs there' },
    { line: 'mesh node describe node-a', what: 'one of them, with its instances' },
  ],
  commands: [
    { name: 'list', summary: 'Nodes and the state of their agents', load: () => import('./node/list.js') },
    { name: 'get', summary: 'One node', load: () => import('./node/get.js') },
    { name: 'describe', summary: 'One node with its instances', load: () => import('./node/describe.js') },
  ],
};
