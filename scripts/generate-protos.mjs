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

/** What the bundled protos are too old for: a text of a file, and what is put after it unless it is there already. */
const additions = [
  // A field that other Envoy files use.
  ['validate/validate.proto', 'message StringRules {', '\n    optional bool ignore_empty = 26;'],
  // Fields of Envoy 1.40, numbers from the descriptors inside its binary.
  [
    'envoy/config/route/v3/route_components.proto',
    'oneof random_value_specifier {',
    '\n    google.protobuf.BoolValue use_hash_policy = 5;',
  ],
  [
    'envoy/config/cluster/v3/circuit_breaker.proto',
    'google.protobuf.UInt32Value min_retry_concurrency = 2;',
    '\n      google.protobuf.Duration budget_interval = 3;',
  ],
  [
    'envoy/config/cluster/v3/circuit_breaker.proto',
    'import "google/protobuf/wrappers.proto";',
    '\nimport "google/protobuf/duration.proto";',
  ],
  [
    'envoy/extensions/upstreams/http/v3/http_protocol_options.proto',
    'config.core.v3.TypedExtensionConfig header_validation_config = 7;',
    '\n  message OutlierDetection { config.common.matcher.v3.MatchPredicate error_matcher = 1; }' +
      '\n  OutlierDetection outlier_detection = 8;',
  ],
  [
    'envoy/extensions/upstreams/http/v3/http_protocol_options.proto',
    'import "envoy/config/core/v3/extension.proto";',
    '\nimport "envoy/config/common/matcher/v3/matcher.proto";',
  ],
  ['envoy/type/tracing/v3/custom_tag.proto', 'Metadata metadata = 5;', '\n    string value = 6;'],
  [
    'envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto',
    'google.protobuf.BoolValue spawn_upstream_span = 10;',
    '\n    string operation = 11;\n    string upstream_operation = 12;\n    bool no_context_propagation = 13;',
  ],
  [
    'envoy/extensions/wasm/v3/wasm.proto',
    'message PluginConfig {',
    '\n  enum FailurePolicy { UNSPECIFIED = 0; FAIL_RELOAD = 1; FAIL_CLOSED = 2; FAIL_OPEN = 3; }' +
      '\n  FailurePolicy failure_policy = 7;',
  ],
];
for (const [name, place, added] of additions) {
  const file = path.join(work, name);
  const text = readFileSync(file, 'utf8');
  if (text.includes(added.trim())) continue;
  if (!text.includes(place)) throw new Error(`${name} has no "${place}" any more: look at what it says now`);
  writeFileSync(file, text.replace(place, place + added));
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
