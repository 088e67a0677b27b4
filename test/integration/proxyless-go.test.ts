/** gRPC for Go, which speaks xDS by itself, at a real pilot. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { buildGoClients } from '../support/go-clients.js';
import { temporaryFolder } from '../support/mesh-process.js';
import { openPilotHouse } from '../support/pilot-house.js';
import { proxylessWorld } from '../support/proxyless-world.js';

interface Answers {
  readonly answers: Readonly<Record<string, number>>;
  readonly failures: Readonly<Record<string, number>>;
}

test('calls from Go follow a split of weights, and none fails', async () => {
  const { xds } = await buildGoClients();
  const folder = await temporaryFolder('proxyless-go');
  const house = await openPilotHouse();
  const world = await proxylessWorld(house);
  try {
    await world.split(75, 25);
    const file = path.join(folder.path, 'bootstrap.json');
    await writeFile(file, JSON.stringify(world.bootstrap));
    const run = promisify(execFile);
    const env = { ...process.env, GRPC_XDS_BOOTSTRAP: file };
    const { stdout } = await run(xds, ['echo:50051', '800'], { env });
    const { answers, failures } = JSON.parse(stdout) as Answers; // printed by fixtures/go/xds
    expect(failures).toEqual({});
    expect(Object.keys(answers).sort()).toEqual(['echo-v1-1', 'echo-v1-2', 'echo-v2-1']);
    // 200 of 800, by chance; 5 standard deviations to each side.
    expect(answers['echo-v2-1']).toBeGreaterThan(138);
    expect(answers['echo-v2-1']).toBeLessThan(262);
  } finally {
    world.stop();
    await house.close();
    await folder.remove();
  }
});
