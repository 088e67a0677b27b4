import { grayCommand } from '../../gray-request.js';

export const command = grayCommand('promote', {
  details: 'Promotion relabels, it copies nothing: the new version becomes the stable one for plain traffic.',
  examples: [
    { line: 'mesh gray promote reviews', what: 'the next of its steps' },
    { line: 'mesh gray promote reviews --full', what: 'all traffic at once' },
  ],
  full: { flags: '--full', description: 'skip the remaining steps' },
});
