/** Which compose command a node uses: small programs of ours stand for the real ones. */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Compose, openCompose } from '../../src/agent/compose.js';
import { temporaryFolder } from '../support/mesh-process.js';

const never = new AbortController().signal;
let folder: { path: string; remove(): Promise<void> };
beforeEach(async () => {
  folder = await temporaryFolder('compose');
  await mkdir(path.join(folder.path, 'bin'));
});
afterEach(() => folder.remove());

/** A program that answers `version --short` with this, and `up` with the rest. */
async function program(name: string, version: string, up = 'exit 0'): Promise<void> {
  const file = path.join(folder.path, 'bin', name);
  // `docker compose version` has the word first that `docker-compose version` begins with.
  const words = name === 'docker' ? 'shift\n' : '';
  await writeFile(file, `#!/bin/sh\n${words}case "$1" in version) echo ${version};; *) ${up};; esac\n`);
  await chmod(file, 0o755);
}

function open(command?: readonly string[]): Promise<Compose> {
  return openCompose(
    {
      dockerHost: 'unix:///nowhere.sock',
      memoryFile: path.join(folder.path, 'compose-command.json'),
      env: { PATH: path.join(folder.path, 'bin') },
      command,
    },
    never,
  );
}

describe('the compose command', () => {
  test('is the plugin where there is one, else the older program', async () => {
    await program('docker-compose', '1.29.2');
    expect((await open()).description).toBe('docker-compose 1.29.2');
  });

  test('prefers the plugin', async () => {
    await program('docker-compose', '1.29.2');
    await program('docker', '2.40.3');
    expect((await open()).description).toBe('docker compose 2.40.3');
  });

  test('stays what the node was set up with, whatever is installed later', async () => {
    await program('docker-compose', '1.29.2');
    await open();
    await program('docker', '2.40.3');
    expect((await open()).description).toBe('docker-compose 1.29.2');
  });

  test('is not exchanged in silence when another program has its name', async () => {
    await program('docker-compose', '1.29.2');
    await open();
    await program('docker-compose', '2.40.3');
    await expect(open()).rejects.toThrow('docker-compose was 1.29.2 when this node was set up and is 2.40.3 now');
    expect((await open(['docker-compose'])).description).toBe('docker-compose 2.40.3');
    expect((await open()).description).toBe('docker-compose 2.40.3');
  });

  test('is missed by name', async () => {
    await expect(open()).rejects.toThrow('no compose command found, tried: docker compose, docker-compose');
  });

  test('says at the end of its words what went wrong', async () => {
    await program('docker-compose', '1.29.2', 'echo "Creating a ... done" >&2; echo "no such image: x" >&2; exit 1');
    const compose = await open();
    await expect(compose.up('mesh-n', 'file.yml', ['a'], never)).rejects.toThrow(/: no such image: x$/);
  });

  test('is ended when it is called off', async () => {
    await program('docker-compose', '1.29.2', 'exec /bin/sleep 60');
    const abort = new AbortController();
    const up = (await open()).up('mesh-n', 'file.yml', ['a'], abort.signal);
    abort.abort(new Error('called off'));
    await expect(up).rejects.toThrow('called off');
  });
});
