import { grayCommand } from '../../gray-request.js';

export const command = grayCommand('pause', {
  details: 'Keeps the weight; nothing moves it until `resume`.',
  examples: [
    { line: 'mesh gray pause reviews', what: 'hold' },
    { line: 'mesh gray pause reviews -m "looking at the errors"', what: 'and say why' },
  ],
});
