import { grayCommand } from '../../gray-request.js';

export const command = grayCommand('undo', {
  details: 'A promoted release ceases to stand in for the definitions: the old version is the stable one again.',
  examples: [
    { line: 'mesh gray undo reviews', what: 'after a promotion that was wrong' },
    { line: 'mesh gray undo reviews --wait', what: 'and wait for the proxies' },
  ],
});
