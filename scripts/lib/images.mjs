// Makes `lightmesh/envoy:<version>` and `lightmesh/demo-app:1` with `docker import` from what this machine has: Envoy's
// binary, the machine's own Node, their shared libraries and a busybox. So nothing is pulled and a closed network will do.
// An image whose inputs have not changed is left alone.

import { createHash } from 'node:crypto';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { docker, importImage, labelOf } from './docker-import.mjs';
import { ENVOY_VERSION, envoyBinary, root } from './places.mjs';
import { reachableModules } from './reachable-modules.mjs';
import { sharedLibraries } from './shared-libraries.mjs';
import { step } from './steps.mjs';

const DIGEST_LABEL = 'io.lightmesh.image.digest';
/** What a health check or a person inside the container may need. */
const APPLETS = ['cat', 'env', 'grep', 'kill', 'ls', 'mkdir', 'nc', 'netstat', 'ps', 'rm', 'sh', 'sleep', 'wget'];
const BUSYBOX = '/bin/busybox';
const demoApp = path.join(root, 'dist/apps/demo-app/main.js');

/** A file of an image: from disk, from text, a symbolic link, or an empty directory. `path` is absolute in the image. */
const fromDisk = (source, to) => ({ path: to, source });
const fromText = (to, text, mode = 0o644) => ({ path: to, text, mode });
const link = (to, target) => ({ path: to, target });
const directory = (to, mode) => ({ path: to, directory: true, mode });

const base = () => [
  directory('/tmp', 0o1777),
  fromText('/etc/passwd', 'root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n'),
  fromText('/etc/group', 'root:x:0:\nnogroup:x:65534:\n'),
  fromText('/etc/nsswitch.conf', 'hosts: files dns\n'),
  fromDisk(BUSYBOX, '/bin/busybox'),
  ...APPLETS.map((applet) => link(`/bin/${applet}`, 'busybox')),
];

const binary = (source, to) => [
  fromDisk(source, to),
  ...sharedLibraries(source).map((library) => fromDisk(library.source, library.path)),
];

// As Envoy's own image has it: `command: [-c, file]` and `command: [envoy, -c, file]` both work.
const ENVOY_ENTRYPOINT = '#!/bin/sh\ncase "$1" in -*) set -- envoy "$@" ;; esac\nexec "$@"\n';

/** What sidecars trust when they speak TLS to the public. */
const PUBLIC_CAS = '/etc/ssl/certs/ca-certificates.crt';

const envoyImage = () => ({
  name: `lightmesh/envoy:${ENVOY_VERSION}`,
  files: [
    ...base(),
    ...binary(envoyBinary, '/usr/local/bin/envoy'),
    fromText('/docker-entrypoint.sh', ENVOY_ENTRYPOINT, 0o755),
    ...(existsSync(PUBLIC_CAS) ? [fromDisk(PUBLIC_CAS, PUBLIC_CAS)] : []),
  ],
  changes: ['ENTRYPOINT ["/docker-entrypoint.sh"]', 'CMD ["envoy", "--version"]'],
});

const demoAppImage = () => {
  const { name, type, exports } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  const modules = reachableModules(root, { name, exports }, demoApp);
  return {
    name: 'lightmesh/demo-app:1',
    files: [
      ...base(),
      ...binary(realpathSync(process.execPath), '/usr/local/bin/node'),
      // What the modules need of it, so that a new script or dev dependency makes no new image.
      fromText('/app/package.json', JSON.stringify({ name, type, exports })),
      ...modules.map((file) => fromDisk(path.join(root, file), `/app/${file}`)),
    ],
    changes: [
      'WORKDIR /app',
      'USER 65534:65534',
      // A small young generation: a fleet of them must be cheap, and each has little to remember.
      'ENTRYPOINT ["node", "--max-semi-space-size=1", "/app/dist/apps/demo-app/main.js"]',
    ],
  };
};

function digestOf({ files, changes }) {
  const hash = createHash('sha256').update(JSON.stringify(changes));
  for (const file of files.toSorted((a, b) => (a.path < b.path ? -1 : 1))) {
    hash.update(`\0${file.path}\0${file.mode ?? ''}\0${file.target ?? ''}\0${file.text ?? ''}\0`);
    if (file.source !== undefined) hash.update(readFileSync(file.source));
  }
  return hash.digest('hex');
}

async function makeImage({ name, files, changes }) {
  await step(name, async () => {
    const digest = digestOf({ files, changes });
    const isCurrent = labelOf(name, DIGEST_LABEL) === digest;
    if (!isCurrent) {
      await importImage(name, files, ['ENV PATH=/usr/local/bin:/bin', `LABEL ${DIGEST_LABEL}=${digest}`, ...changes]);
    }
    const megabytes = Math.round(Number(docker('image', 'inspect', '--format', '{{.Size}}', name)) / 1e6);
    return `${megabytes} MB${isCurrent ? ', unchanged' : ''}`;
  });
}

const missing = [envoyBinary, BUSYBOX, demoApp].filter((file) => !existsSync(file));
if (missing.length > 0) {
  console.error(`missing: ${missing.join(', ')}\nRun scripts/setup first.`);
  process.exit(1);
}
await makeImage(envoyImage());
await makeImage(demoAppImage());
