import type { Keys } from '../store/keys.js';
import { namingRanges } from '../store/naming.js';
import type { Range } from '../store/store.js';

/** What the snapshot is made of, and what the API tells of. Histories are read when they are asked for. */
export function meshRanges(keys: Keys): Range[] {
  const firsts = [
    'def',
    'release',
    'plan',
    'instance',
    'node',
    'pilot',
    'ack',
    'fact',
    'quarantine',
    'evict',
    'seen',
    'freeze',
    'witness',
    'leader',
  ];
  const own = firsts.map((first) => keys.below(first));
  return [...own, { key: keys.revHead }, keys.allStaged, ...namingRanges()];
}
