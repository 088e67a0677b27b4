import { grayCommand } from '../../gray-request.js';

export const command = grayCommand('resume', {
  details: 'Goes on from the weight at which it was paused.',
  examples: [
    { line: 'mesh gray resume reviews', what: 'go on' },
    { line: 'mesh gray resume reviews -m "was the database"', what: 'and say why' },
  ],
});
