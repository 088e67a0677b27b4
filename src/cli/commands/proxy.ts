import type { GroupSpec } from '../command.js';

export const command: GroupSpec = {
  kind: 'group',
  details: 'A proxy is named by its id, namespace/service/instance@node, or by as much of it as is unique.',
  examples: [
    { line: 'mesh proxy status', what: 'what each proxy has acknowledged' },
    { line: 'mesh proxy config routes reviews-v1-7', what: 'what it is served' },
  ],
  commands: [
    { name: 'list', summary: 'Connected proxies', load: () => import('./proxy/list.js') },
    { name: 'status', summary: 'Acknowledgements by resource type', load: () => import('./proxy/status.js') },
    { name: 'config', summary: 'Resources that a proxy is served', load: () => import('./proxy/config.js') },
  ],
};
