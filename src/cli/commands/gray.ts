import type { GroupSpec } from '../command.js';

export const command: GroupSpec = {
  kind: 'group',
  details: 'An overlay over your routes, which are never edited: rollback takes the overlay away, at once.',
  examples: [
    { line: 'mesh gray start reviews --to v2 --weight 10', what: 'send 10 % to v2' },
    { line: 'mesh gray status reviews -w', what: 'watch what it does' },
    { line: 'mesh gray promote reviews', what: 'next step, or the new version for all' },
    { line: 'mesh gray rollback reviews', what: 'back to the old version' },
  ],
  commands: [
    { name: 'start', summary: 'Begin a release', load: () => import('./gray/start.js') },
    { name: 'shift', summary: 'Set the weight, or move it', load: () => import('./gray/shift.js') },
    { name: 'pause', summary: 'Hold the weight where it is', load: () => import('./gray/pause.js') },
    { name: 'resume', summary: 'Go on after a pause', load: () => import('./gray/resume.js') },
    {
      name: 'promote',
      summary: 'Next step, at the end the new version for all',
      load: () => import('./gray/promote.js'),
    },
    { name: 'rollback', summary: 'All traffic back to the old version', load: () => import('./gray/rollback.js') },
    { name: 'undo', summary: 'Take a promoted release back', load: () => import('./gray/undo.js') },
    { name: 'status', summary: 'Asked and measured share, proxies, timeline', load: () => import('./gray/status.js') },
    { name: 'list', summary: 'Releases of every service', load: () => import('./gray/list.js') },
    { name: 'history', summary: 'Past transitions of a service', load: () => import('./gray/history.js') },
  ],
};
