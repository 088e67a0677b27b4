// Generates Envoy's v3 types from the protos inside npm `@grpc/grpc-js-xds` into src/xds/generated (never committed).
// Runs offline. Skips itself when neither the package, the entry list nor this script has changed; `--check` only tells,
// by its exit code, whether it would.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const require = createRequire(import.meta.url);
const deps = path.join(path.dirname(require.resolve('@grpc/grpc-js-xds/package.json')), 'deps');
const entryList = path.join(root, 'src/xds/envoy-proto-entries.txt');
const out = path.join(root, 'src/xds/generated');
const work = path.join(root, '.cache/protos');

const stamp = createHash('sha256')
  .update(readFileSync(path.join(deps, '../package.json')))
  .update(readFileSync(entryList))
  .update(readFileSync(fileURLToPath(import.meta.url)))
  .digest('hex');
const stampFile = path.join(out, '.stamp');
const isCurrent = existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp;
if (isCurrent || process.argv.includes('--check')) process.exit(isCurrent ? 0 : 1);

rmSync(work, { recursive: true, force: true });
mkdirSync(work, { recursive: true });
for (const [from, to] of [
  ['envoy-api/envoy', 'envoy'],
  ['googleapis/google', 'google'],
  ['xds/xds', 'xds'],
  ['xds/udpa', 'udpa'],
  ['protoc-gen-validate/validate', 'validate'],
]) {
  cpSync(path.join(deps, from), path.join(work, to), { recursive: true });
}

// The bundled validate.proto is older than the Envoy files that import it: they use a field that it lacks.
const validate = path.join(work, 'validate/validate.proto');
const text = readFileSync(validate, 'utf8');
if (!/message StringRules \{[^}]*ignore_empty/s.test(text)) {
  writeFileSync(
    validate,
    text.replace('message StringRules {', 'message StringRules {\n    optional bool ignore_empty = 26;'),
  );
}

writeFileSync(path.join(work, 'buf.yaml'), 'version: v2\nmodules: [{ path: . }]\n');
// `strategy: all`: one plugin process. One per directory takes 40 times as long.
writeFileSync(
  path.join(work, 'buf.gen.yaml'),
  JSON.stringify({
    version: 'v2',
    plugins: [
      {
        local: ['node', path.join(root, 'node_modules/@bufbuild/protoc-gen-es/bin/protoc-gen-es')],
        out,
        opt: ['target=ts', 'import_extension=js', 'json_types=true'],
        include_imports: true,
        strategy: 'all',
      },
    ],
  }),
);
const buf = (...args) =>
  execFileSync('node', [path.join(root, 'node_modules/@bufbuild/buf/bin/buf'), ...args], {
    cwd: work,
    stdio: 'inherit',
  });
const entries = readFileSync(entryList, 'utf8').split('\n').filter(Boolean);
rmSync(out, { recursive: true, force: true });
buf('build', ...entries.flatMap((entry) => ['--path', entry]), '--exclude-source-info', '-o', 'image.binpb');
buf('generate', 'image.binpb');
// One list of all entries' descriptors, so that an added entry is known to the encoder without a second line elsewhere.
const imports = entries.map((entry) => {
  const name = entry.slice(0, -'.proto'.length);
  return { name: `file_${name.replaceAll('/', '_')}`, from: `./${name}_pb.js` };
});
writeFileSync(
  path.join(out, 'entries.ts'),
  [
    ...imports.map(({ name, from }) => `import { ${name} } from '${from}';`),
    `export const entries = [\n${imports.map(({ name }) => `  ${name},\n`).join('')}] as const;`,
    '',
  ].join('\n'),
);
writeFileSync(stampFile, stamp);
