import { describe, expect, it } from 'vitest';
import { Behaviour, parseMode } from '../../../fixtures/apps/demo-app/behaviour.js';

const mode = (query: string) => parseMode(new URLSearchParams(query));

describe('the mode of the demo application', () => {
  it('strikes the share of the requests that it names', () => {
    const draws = [0, 0.0999, 0.1, 0.99];
    const behaviour = new Behaviour(() => draws.shift() as number);
    behaviour.mode = mode('status=503&delay=0.5&share=10');
    const statuses = [1, 2, 3, 4].map(() => behaviour.wish(undefined, undefined).status);
    expect(statuses).toEqual([503, 503, undefined, undefined]);
  });

  it('gives way to what a request asks for itself', () => {
    const behaviour = new Behaviour(() => 0);
    behaviour.mode = mode('status=503&delay=0.5');
    expect(behaviour.wish('404', '0')).toEqual({ status: 404, delayS: 0 });
  });

  it('ends with an empty query', () => {
    expect(mode('')).toEqual({ status: undefined, delayS: 0, share: 100 });
  });

  it.each([
    ['status=99', 'status is "99": a number from 200 to 599 is wanted'],
    ['status=200.5', 'status is "200.5": a whole number is wanted'],
    ['delay=-1', 'delay is "-1": a number from 0 to 300 is wanted'],
    ['share=', 'share is "": a number from 0 to 100 is wanted'],
    ['stauts=503', 'unknown parameter "stauts": status, delay and share are known'],
  ])('refuses %s', (query, message) => {
    expect(() => mode(query)).toThrow(message);
  });
});
