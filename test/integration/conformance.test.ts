/** Goal: rules mean here what they mean at Istio: 116 cases that were measured there, through a pilot and a real Envoy. */
import { describe, expect, test } from 'vitest';
import { runConformance } from '../support/conformance/run.js';
import { isEnvoyMissing } from '../support/envoy.js';

/**
 * Of kinds that are not there yet. Whoever makes one pass takes it off this list: the test fails until then.
 */
const waiting: readonly RegExp[] = [/^in-/];

describe.skipIf(isEnvoyMissing())('what a real Istio did', () => {
  test('every case passes or deviates as it says', async () => {
    const results = await runConformance({});
    const failed = results.filter(({ passed }) => !passed);
    const isWaiting = (name: string): boolean => waiting.some((pattern) => pattern.test(name));
    expect(failed.filter(({ name }) => !isWaiting(name))).toEqual([]);
    const unused = waiting.filter((pattern) => !failed.some(({ name }) => pattern.test(name)));
    expect(unused.map(String)).toEqual([]);
  });
});
