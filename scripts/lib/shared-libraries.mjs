// What a dynamically linked program needs beside itself.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';

/** Loaded by name at run time, so the linker does not list them: how C libraries before 2.34 look up host names. */
const NAME_SERVICES = ['libnss_files.so.2', 'libnss_dns.so.2', 'libresolv.so.2'];

/** `{source, path}` of each library. All go where the C library is: the loader looks there without a cache. */
export function sharedLibraries(program) {
  const listed = ldd(program);
  const libc = listed.find((library) => path.basename(library).startsWith('libc.so'));
  if (libc === undefined) return []; // statically linked
  const home = path.dirname(libc);
  const services = NAME_SERVICES.map((name) => path.join(home, name)).filter((file) => existsSync(file));
  return [...new Set([...listed, ...services])].map((source) => ({
    source,
    // The program names its loader by full path.
    path: path.basename(source).startsWith('ld-') ? source : path.join(home, path.basename(source)),
  }));
}

function ldd(program) {
  const output = execFileSync('ldd', [program], { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } });
  return [...output.matchAll(/(\/\S+) \(0x/g)].map((match) => match[1]);
}
