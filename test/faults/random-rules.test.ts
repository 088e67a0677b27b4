/** Goal: what is translated stands by itself whatever the rules are, and `mesh resolve` says what Envoy does. */
import { Agent } from 'node:http';
import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { translate } from '../../src/pilot/translate/index.js';
import { requestOf } from '../../src/resolve/request.js';
import { resolve } from '../../src/resolve/resolution.js';
import { isEnvoyMissing } from '../support/envoy.js';
import { proxy, world } from '../support/mesh-world.js';
import { startOneSidecar } from '../support/one-sidecar.js';
import { requests, rules, scenery, upstreams, yamlOf } from '../support/random-rules.js';
import { askEnvoy, disagreement, startAddressApp } from '../support/resolved-answer.js';
import { scenario } from '../support/scenario.js';
import { laws } from '../support/translation-laws.js';

describe('random rules', () => {
  scenario(
    'translate-properties',
    'random rules, held to the laws of translation',
    { suite: { rules: 3, seed: 1 }, lab: { rules: 500, seed: Date.now() } },
    async ({ parameters: { rules: numRuns, seed } }) => {
      const startedMs = performance.now();
      for (const holds of Object.values(laws)) holds({ seed, numRuns });
      return { lastedMs: performance.now() - startedMs, sent: numRuns, failed: 0, recoveredMs: 0 };
    },
  );
});

describe.skipIf(isEnvoyMissing())('mesh resolve', () => {
  scenario(
    'resolve',
    'random requests to random rules: an Envoy does what mesh resolve says',
    { suite: { worlds: 50, requests: 100, seed: 1 }, lab: { worlds: 400, requests: 250, seed: Date.now() } },
    async ({ parameters, ...scene }) => {
      const startedMs = performance.now();
      const app = await startAddressApp();
      scene.defer(() => app.close());
      const { definitions, endpoints } = scenery(app.port);
      const sidecar = await startOneSidecar({ upstreams: proxy(upstreams).upstreams });
      scene.defer(() => sidecar.stop());
      const agent = new Agent({ keepAlive: true, maxSockets: 16 });
      scene.defer(() => agent.destroy());
      const differences: string[] = [];
      for (const [i, drawn] of fc.sample(rules, { numRuns: parameters.worlds, seed: parameters.seed }).entries()) {
        const yaml = yamlOf([...definitions, ...drawn]);
        await sidecar.apply(yaml, endpoints);
        const resources = translate(world({ yaml, endpoints }), sidecar.scope);
        const asked = fc.sample(requests, { numRuns: parameters.requests, seed: parameters.seed + i });
        await Promise.all(
          asked.map(async (request) => {
            const answer = await askEnvoy(agent, sidecar.scope.ports.proxy, request);
            const why = disagreement(resolve(resources, 'outbound', requestOf(request)), answer);
            if (why !== undefined) differences.push(JSON.stringify({ why, request, answer, drawn }));
          }),
        );
      }
      expect(differences.slice(0, 3)).toEqual([]);
      const sent = parameters.worlds * parameters.requests;
      return { lastedMs: performance.now() - startedMs, sent, failed: differences.length, recoveredMs: 0 };
    },
  );
});
