/** The Go programs that the benches measure with are not ours: MESH_BENCH_TOOLS names the folder that has them. */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { root, run } from '../../test/support/mesh-process.js';

/** Builds what is older than its source, which Go itself finds out. */
export async function buildTool(name: string): Promise<string> {
  const source = path.resolve(root, process.env['MESH_BENCH_TOOLS'] ?? '../shared/tools', name);
  if (!existsSync(source))
    throw new Error(`${name} is not at ${source}: set MESH_BENCH_TOOLS to the folder that has it`);
  const binary = path.join(root, '.cache/bench', name);
  await mkdir(path.dirname(binary), { recursive: true });
  const built = await run('go', ['-C', source, 'build', '-mod=readonly', '-buildvcs=false', '-o', binary, '.']);
  if (built.code !== 0) throw new Error(`go build ${name}: ${built.stderr}`);
  return binary;
}
