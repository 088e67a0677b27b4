import { describe, expect, it } from 'vitest';
import { hintFor, shortReason } from '../../../src/store/advice.js';
import { faultOf } from '../../../src/store/fault.js';

describe('a failed call', () => {
  it.each([
    ['14 UNAVAILABLE: No connection established. Last error: connect ECONNREFUSED 127.0.0.1:1', 'not-sent'],
    ['4 DEADLINE_EXCEEDED: Deadline exceeded after 2.0s', 'no-answer'],
    ['14 UNAVAILABLE: etcdserver: leader changed', 'no-answer'],
    ['12 UNIMPLEMENTED: Received HTTP status code 404', 'not-sent'],
    ['Channel closed before call started', 'not-sent'],
    ['4 DEADLINE_EXCEEDED: Deadline exceeded after 2.0s,Waiting for LB pick', 'not-sent'],
    ['11 OUT_OF_RANGE: etcdserver: mvcc: required revision has been compacted', 'compacted'],
    ['5 NOT_FOUND: etcdserver: requested lease not found', 'lease-gone'],
    ['3 INVALID_ARGUMENT: etcdserver: request is too large', 'refused'],
    ['8 RESOURCE_EXHAUSTED: etcdserver: mvcc: database space exceeded', 'refused'],
    ['7 PERMISSION_DENIED: etcdserver: permission denied', 'refused'],
  ])('%s: %s', (message, fault) => {
    expect(faultOf(new Error(message))).toBe(fault);
  });

  it('is told to people in a few words', () => {
    const refused = new Error(
      '14 UNAVAILABLE: No connection established. Last error: connect ECONNREFUSED 127.0.0.1:1',
    );
    expect(shortReason(refused)).toBe('connect ECONNREFUSED');
    expect(shortReason(new Error('4 DEADLINE_EXCEEDED: Deadline exceeded'))).toBe('no answer in time');
    expect(shortReason(new Error('3 INVALID_ARGUMENT: etcdserver: x'))).toBe('etcdserver: x');
    expect(hintFor(new Error('3 INVALID_ARGUMENT: etcdserver: x'))).toBeUndefined();
  });
});
