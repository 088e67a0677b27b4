import type { ApplyRequest, ApplyResponse } from '../../model/api.js';
import { MeshError } from '../../runtime/mesh-error.js';
import type { Api } from '../api-client.js';
import { defineCommand } from '../command.js';
import { withSource } from '../failure.js';
import { readSources, sourceText } from '../input.js';
import { writeAnswer } from '../output/answer.js';
import { countChanges, formatChanges, formatDiff, hasChanges } from '../output/changes.js';
import { formatProblems } from '../output/problems.js';
import { patiently } from '../patience.js';
import { parseSelector } from '../selector.js';
import { confirm, type Session } from '../session.js';
import { dryRunOption, filesOption, messageOption, recursiveOption, waitForProxiesOption } from '../shared-options.js';
import { waitForProxies } from '../wait-for-proxies.js';

interface Options {
  readonly file?: readonly string[];
  readonly recursive?: boolean;
  readonly dryRun?: boolean;
  readonly diff?: boolean;
  readonly prune?: boolean;
  readonly wait?: boolean;
  readonly expectRevision?: string;
  readonly message?: string;
}

export const command = defineCommand<Options>({
  details:
    'All of it or nothing: one mistake anywhere, and nothing is applied. What is not in the files stays as it is.',
  examples: [
    { line: 'mesh apply -f world.yaml', what: 'every document of a file, in one revision' },
    { line: 'mesh apply -f routes/ -R -m "raise timeouts"', what: 'a directory and those below it, with the reason' },
    { line: 'mesh apply -f world.yaml --dry-run --diff', what: 'look first' },
    { line: 'mesh apply -f shop/ --prune -l team=shop', what: 'also delete what has the label and left the files' },
  ],
  options: [
    filesOption,
    recursiveOption,
    dryRunOption,
    { flags: '--diff', description: 'show the changes line by line' },
    { flags: '--prune', description: 'delete what has the labels of -l and is not in the files' },
    waitForProxiesOption,
    { flags: '--expect-revision <n>', description: 'refuse (exit 5) unless the mesh is at this revision' },
    messageOption,
  ],
  takes: ['namespace', 'selector'],
  output: ['table', 'json', 'yaml', 'name'],
  connects: 'api',
  async run(session, _args, options) {
    const files = await readSources(options.file ?? [], { recursive: options.recursive ?? false }, session.io);
    const request: ApplyRequest = {
      ...session.author(options.message),
      files,
      namespace: session.settings.namespace,
      ...pruneOf(session, options),
      ...expectedRevision(options.expectRevision),
    };
    const api = await session.api();
    const next = `Check offline: mesh validate -f ${(options.file ?? []).join(' ')}`;
    const send = (dryRun: boolean): Promise<ApplyResponse> =>
      withSource(patiently(session, 'applying', api.apply({ ...request, dryRun })), sourceText(files), {
        outcome: 'nothing applied',
        next,
      });
    if (options.dryRun !== true && options.prune === true) await confirmPrune(session, await send(true), options);
    const response = await send(options.dryRun === true);
    session.io.stderr.write(formatProblems(response.warnings, sourceText(files), session.errorStyle));
    await writeAnswer(session, {
      value: { apiVersion: 'mesh/v1', kind: 'ApplyResult', dryRun: options.dryRun === true, ...response },
      names: response.changes.map(({ kind, name }) => `${kind.toLowerCase()}/${name}`),
      text:
        formatChanges(response.changes, session.style) +
        (options.diff === true ? formatDiff(response.changes, session.style) : ''),
    });
    await conclude(session, api, response, options);
  },
});

async function conclude(session: Session, api: Api, response: ApplyResponse, options: Options): Promise<void> {
  if (options.dryRun === true) {
    session.say(hasChanges(response) ? `Would change: ${countChanges(response.changes)}.` : 'Would change nothing.');
    return;
  }
  if (!hasChanges(response)) {
    if (options.wait === true) await waitForProxies(session, api, response.storeRevision ?? '0', response.changes);
    session.say(`Nothing to change, the mesh stays at revision ${response.revision}.`);
    return;
  }
  if (options.wait === true) await waitForProxies(session, api, response.storeRevision, response.changes);
  session.say(`Revision ${response.revision}: ${countChanges(response.changes)}. Next: ${nextStep(response)}`);
}

/** Definitions of what runs need a deploy; routes hold at once. */
function nextStep(response: ApplyResponse): string {
  const runs = new Set(['Service', 'Version', 'Cluster', 'Node', 'Mesh']);
  const changed = response.changes.some(({ kind, action }) => runs.has(kind) && action !== 'unchanged');
  return changed ? 'mesh plan, then mesh deploy' : `mesh diff -f FILE, or back: mesh rollback ${response.revision - 1}`;
}

async function confirmPrune(session: Session, preview: ApplyResponse, options: Options): Promise<void> {
  const gone = preview.changes.filter(({ action }) => action === 'deleted');
  if (gone.length === 0) return;
  session.io.stderr.write(formatChanges(gone, session.errorStyle));
  const flags = `-f ${(options.file ?? []).join(' ')} --prune -l ${session.settings.selector}`;
  await confirm(session, `Delete ${gone.length} that left the files?`, `mesh apply ${flags}`);
}

function pruneOf(session: Session, options: Options): Pick<ApplyRequest, 'prune'> {
  const { selector } = session.settings;
  if (options.prune === true && selector !== undefined) return { prune: parseSelector(selector) };
  if (options.prune === true) {
    throw new MeshError('MESH2007', '--prune needs -l: without labels it would delete everything else', {
      hint: 'such as: mesh apply -f shop/ --prune -l team=shop',
    });
  }
  if (selector !== undefined)
    throw new MeshError('MESH2007', '-l says what --prune may delete, and --prune is missing');
  return {};
}

function expectedRevision(text: string | undefined): Pick<ApplyRequest, 'expectRevision'> {
  if (text === undefined) return {};
  if (!/^\d+$/.test(text)) throw new MeshError('MESH2007', `--expect-revision "${text}" is not a revision`);
  return { expectRevision: Number(text) };
}
