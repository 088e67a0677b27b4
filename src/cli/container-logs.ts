/** Output of the containers of a service on this machine, each line with its instance where there are several. */
import { Writable } from 'node:stream';
import { type Container, type Docker, openDocker } from '../agent/docker.js';
import type { InstanceItem } from '../model/api.js';
import { LABELS } from '../model/container-labels.js';
import { MeshError } from '../runtime/mesh-error.js';
import type { LogsOptions } from './commands/logs.js';
import type { Session } from './session.js';

export async function showLogs(session: Session, service: string, options: LogsOptions): Promise<void> {
  const { io, settings } = session;
  const docker = openDocker(io.env['DOCKER_HOST']);
  const found = wanted(await docker.list(labelsOf(settings.namespace, service, options)), options);
  const known = await knownToPilot(session, service, options);
  // Another mesh may have containers on this machine too; without a pilot they cannot be told apart.
  const containers = found.filter(({ labels }) => known?.nodes.has(labels[LABELS.node] ?? '') ?? true);
  const here = new Set(containers.map(instanceOf));
  const elsewhere = (known?.running ?? []).filter(({ instance }) => !here.has(instance));
  for (const { instance, node } of elsewhere) {
    session.say(`${instance} runs on ${node}, not on this machine: type \`mesh logs ${service}\` there.`);
  }
  if (containers.length === 0 && elsewhere.length === 0) {
    throw new MeshError('MESH2005', `no instance of ${service} in namespace ${settings.namespace} was found`, {
      hint: 'see `mesh ps -A`',
    });
  }
  const prefixes = containers.length > 1;
  await Promise.all(
    containers.map((container) => copy(session, docker, container, options, prefixes ? instanceOf(container) : '')),
  );
  if (io.signal.aborted) throw io.signal.reason;
}

function labelsOf(namespace: string, service: string, options: LogsOptions): Record<string, string> {
  return {
    [LABELS.service]: service,
    [LABELS.namespace]: namespace,
    ...(options.version === undefined ? {} : { [LABELS.version]: options.version }),
    ...(options.node === undefined ? {} : { [LABELS.node]: options.node }),
  };
}

/** The app's, or the sidecar's where it is asked for; a gateway has nothing else. */
function wanted(containers: readonly Container[], { proxy, access }: LogsOptions): readonly Container[] {
  const apps = containers.filter(({ labels }) => labels[LABELS.role] === 'app');
  const sidecars = containers.filter(({ labels }) => labels[LABELS.role] === 'sidecar');
  if (proxy === true || access === true) return sidecars;
  const withApp = new Set(apps.map(instanceOf));
  return [...apps, ...sidecars.filter((sidecar) => !withApp.has(instanceOf(sidecar)))];
}

/** Without a pilot there is nothing to say about other machines; what is here is still shown. */
async function knownToPilot(
  session: Session,
  service: string,
  { node, version }: LogsOptions,
): Promise<{ nodes: ReadonlySet<string>; running: readonly InstanceItem[] } | undefined> {
  try {
    const api = await session.api();
    const nodes = new Set((await api.nodes()).items.map(({ name }) => name));
    const { items } = await api.instances({ service, namespace: session.settings.namespace, node });
    const running = items.filter((item) => item.state !== 'stopped' && (version ?? item.version) === item.version);
    return { nodes, running };
  } catch (error) {
    if (!(error instanceof MeshError)) throw error;
    session.say('No pilot answers: whatever has this name on this machine is shown.');
    return undefined;
  }
}

/** Envoy writes its access log to stdout and its own messages to stderr; an app may write to both. */
async function copy(
  session: Session,
  docker: Docker,
  container: Container,
  options: LogsOptions,
  prefix: string,
): Promise<void> {
  const out = lines((line) => session.write(line), prefix);
  const stdout = options.proxy === true ? nowhere() : out;
  const stderr = options.access === true ? nowhere() : out;
  const tail = options.tail === undefined ? {} : { tail: Number(options.tail) };
  await docker.logs(container.id, { follow: options.follow ?? false, ...tail }, stdout, stderr, session.io.signal);
  out.end();
}

function instanceOf({ labels }: Container): string {
  return labels[LABELS.instance] ?? '';
}

/** Whole lines only: those of several containers must not run into each other. */
function lines(write: (line: string) => void, prefix: string): Writable {
  const lead = prefix === '' ? '' : `${prefix} | `;
  let rest = '';
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      const parts = (rest + chunk.toString('utf8')).split('\n');
      rest = parts.pop() ?? '';
      for (const line of parts) write(`${lead}${line}\n`);
      done();
    },
    final(done) {
      if (rest !== '') write(`${lead}${rest}\n`);
      done();
    },
  });
}

function nowhere(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() });
}
