import { grayCommand } from '../../gray-request.js';

export const command = grayCommand('rollback', {
  details: 'Traffic first: the overlay goes, the containers stay until the next deploy.',
  examples: [
    { line: 'mesh gray rollback reviews', what: 'back to the old version' },
    { line: 'mesh gray rollback reviews -m "errors" --wait', what: 'with the reason, and wait for the proxies' },
  ],
});
