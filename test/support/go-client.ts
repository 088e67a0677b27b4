/** A stock Go client of etcd's gRPC naming (test/support/go): what a service in Go sees that goes without a proxy. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';

export interface GoResolveOptions {
  /** `host:port[,host:port…]`, or the same as a store URL. */
  readonly etcd: string;
  /** What stands after `etcd:///`. */
  readonly target: string;
  /** How often to call the demo application's Echo service there, in turn over the instances. */
  readonly calls: number;
}

export interface GoSeen {
  /** Sorted. */
  readonly addresses: readonly string[];
  /** Calls answered, by `x-backend` and by `x-instance`. */
  readonly backends: Readonly<Record<string, number>>;
  readonly instances: Readonly<Record<string, number>>;
}

export interface GoClient {
  resolve(options: GoResolveOptions): Promise<GoSeen>;
}

const root = path.resolve(import.meta.dirname, '../..');
const binary = path.join(root, '.cache/go-client/etcd-names');
const run = promisify(execFile);

/** A first build takes half a minute, later ones go's cache has. Fails where there is no Go: scripts/setup --tests gets it. */
export async function buildGoClient(): Promise<GoClient> {
  const fromSetup = path.join(root, '.cache/go/bin/go');
  const go = existsSync(fromSetup) ? fromSetup : 'go';
  await run(go, ['build', '-trimpath', '-ldflags=-s -w', '-o', binary, '.'], {
    cwd: path.join(root, 'test/support/go'),
  });
  return {
    resolve: async ({ etcd, target, calls }) => {
      const hosts = etcd.replace(/^etcds?:\/\//, '').replace(/\/.*$/, '');
      const { stdout } = await run(binary, ['-etcd', hosts, '-target', target, '-calls', String(calls)]);
      return JSON.parse(stdout) as GoSeen; // printed by main.go's report
    },
  };
}
