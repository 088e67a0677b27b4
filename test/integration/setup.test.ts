/** scripts/setup on a clone that has nothing yet. What it installs for real is seen by every run of CI on a bare machine. */
import { execFile } from 'node:child_process';
import { chmod, cp, mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/mesh-process.js';

const root = path.resolve(import.meta.dirname, '../..');
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let clone: string;

beforeEach(async () => {
  folder = await temporaryFolder('setup');
  clone = path.join(folder.path, 'clone');
  for (const name of ['scripts', 'package.json', 'package-lock.json']) {
    await cp(path.join(root, name), path.join(clone, name), { recursive: true });
  }
  for (const name of ['src', 'fixtures/apps']) await mkdir(path.join(clone, name), { recursive: true });
});
afterEach(() => folder.remove());

interface Ended {
  readonly code: number;
  readonly said: string;
}

/** Commands that stand before the machine's own, by name and script. */
async function setup(args: readonly string[], commands: Readonly<Record<string, string>> = {}): Promise<Ended> {
  const bin = path.join(folder.path, 'bin');
  await mkdir(bin, { recursive: true });
  for (const [name, script] of Object.entries(commands)) {
    await writeFile(path.join(bin, name), `#!/bin/sh\n${script}\n`);
    await chmod(path.join(bin, name), 0o755);
  }
  const env = { PATH: `${bin}:${process.env['PATH']}` };
  return await new Promise((resolve) => {
    execFile(path.join(clone, 'scripts/setup'), args, { env }, (error, _, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, said: stderr }),
    );
  });
}

/** What a script prints that is run in the clone. */
async function inBash(script: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    execFile('bash', ['-c', script], { cwd: clone, timeout: 20_000 }, (error, stdout, stderr) =>
      error === null ? resolve(stdout) : reject(new Error(stderr, { cause: error })),
    );
  });
}

describe('scripts/setup', () => {
  it('with --check names what is there and what is to do, exits 1, and makes nothing', async () => {
    const { code, said } = await setup(['--check', '--tests']);
    expect(code).toBe(1);
    expect(said).toMatch(/^✔ Node +2\d\.\S+ {2}\d+\.\ds$/m);
    expect(said).toMatch(/^✘ npm packages +\d+ to install {2}\d+\.\ds$/m);
    expect(said).toMatch(/^✘ build +to do/m);
    expect(await readdir(clone)).toEqual(['.cache', 'fixtures', 'package-lock.json', 'package.json', 'scripts', 'src']);
  });

  it('names the line to type where it may not do it itself, and stops there', async () => {
    const { code, said } = await setup([], { id: 'echo 1000', docker: 'exit 1' });
    expect(code).toBe(1);
    expect(said).toMatch(/^✘ Docker engine +needs you, see below/m);
    expect(said).toContain('sudo systemctl start docker');
    expect(said).not.toContain('npm packages');
  });

  it('wants a Node that is new enough, and says so before anything fails over it', async () => {
    const { code, said } = await setup([], { node: 'echo v18.19.0', id: 'echo 1000' });
    expect(code).toBe(1);
    expect(said).toMatch(/^… Node +18\.19\.0, but 20\.20 or later is wanted/m);
    expect(said).toContain('nvm install 20');
  });

  it('starts the engine over the pid files of one that was killed, whose number is a zombie or another program now', async () => {
    const said = await inBash(`
      for part in scripts/lib/setup/*.sh; do source "$part"; done
      DOCKERD_PID_FILE=dockerd.pid CONTAINERD_PID_FILE=containerd.pid
      start_dockerd() { echo "started, with pid files: $(ls -- *.pid | xargs)"; }
      sh -c 'sleep 0 & echo $! >dockerd.pid; exec sleep 60' >/dev/null 2>&1 &
      parent=$!
      until [[ -s dockerd.pid && $(sed 's/.*) //' "/proc/$(<dockerd.pid)/stat") == Z* ]]; do :; done
      echo $$ >containerd.pid
      touch other.pid
      start_dockerd_unless_running
      kill $parent
    `);
    expect(said).toBe('started, with pid files: other.pid\n');
  });

  it('leaves the engine alone while it runs, if it does not answer yet', async () => {
    const said = await inBash(`
      for part in scripts/lib/setup/*.sh; do source "$part"; done
      DOCKERD_PID_FILE=dockerd.pid CONTAINERD_PID_FILE=containerd.pid
      start_dockerd() { echo started; }
      cp "$(command -v sleep)" dockerd
      ./dockerd 60 >/dev/null 2>&1 &
      running=$!
      echo $running >dockerd.pid
      until runs_as dockerd.pid dockerd; do :; done
      start_dockerd_unless_running
      ls -- *.pid
      kill $running
    `);
    expect(said).toBe('dockerd.pid\n');
  });

  it('knows no other option', async () => {
    expect((await setup(['--chek'])).code).toBe(2);
  });
});
