import { expect, test } from 'vitest';
import { labelSelector } from '../../../src/pilot/api/lists.js';

const labels = { team: 'shop', track: 'next' };

test.each(['team=shop', 'team==shop', 'team=shop,track!=stable', 'track', '!tier', 'tier!=x', ' team=shop , track '])(
  'a selector "%s" matches by what it says of the labels',
  (text) => expect(labelSelector(text)(labels)).toBe(true),
);

test.each(['team=other', 'tier', '!team', 'team=shop,tier=x'])('a selector "%s" leaves the object out', (text) =>
  expect(labelSelector(text)(labels)).toBe(false),
);

test.each(['a b', 'a=b c', '=x', '!a=b', 'a=b=c d'])('a selector "%s" is refused, not taken for an odd label', (text) =>
  expect(() => labelSelector(text)).toThrow(/is not a label selector/),
);
