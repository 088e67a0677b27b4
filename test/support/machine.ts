/** What figures depend on, kept with them. */
import { spawnSync } from 'node:child_process';
import { availableParallelism, loadavg, totalmem } from 'node:os';

/** The load tells how many others had the cores at the same time; `loadBefore` as `os.loadavg()[0]` gave it at the start. */
export function machine(loadBefore: number | undefined): object {
  const round = (load: number | undefined): number => Math.round((load ?? 0) * 10) / 10;
  return {
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    etcd: /Version: (\S+)/.exec(spawnSync('etcd', ['--version'], { encoding: 'utf8' }).stdout ?? '')?.[1] ?? 'none',
    load: { before: round(loadBefore), after: round(loadavg()[0]) },
  };
}
