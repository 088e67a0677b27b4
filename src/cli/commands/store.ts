import type { GroupSpec } from '../command.js';

export const command: GroupSpec = {
  kind: 'group',
  details:
    'For operators: these work on the store itself, with or without a pilot. Without --store, on the store of the `mesh up` of this machine.',
  examples: [
    { line: 'mesh store status', what: 'members, size, keys, alarms, who waits for an operator' },
    { line: 'mesh store backup mesh.backup --store etcd://10.0.0.4:2379', what: 'the mesh as one file' },
    { line: 'mesh store copy embedded:DIR etcd://10.0.0.4:2379', what: 'from one machine to a cluster' },
  ],
  commands: [
    { name: 'status', summary: 'Members, size, keys, alarms, history', load: () => import('./store/status.js') },
    { name: 'backup', summary: 'Write the mesh into a file', load: () => import('./store/backup.js') },
    { name: 'restore', summary: 'Bring a backup into a store', load: () => import('./store/restore.js') },
    { name: 'copy', summary: 'Move the mesh to another store', load: () => import('./store/copy.js') },
    { name: 'compact', summary: 'Forget history, and free what it took', load: () => import('./store/compact.js') },
    {
      name: 'adopt',
      summary: 'Take a store as it is that was wiped or restored',
      load: () => import('./store/adopt.js'),
    },
  ],
};
