import type { ApplyRequest } from '../../model/api.js';
import type { Api } from '../api-client.js';
import { defineCommand } from '../command.js';
import { withSource } from '../failure.js';
import { readSources, sourceText } from '../input.js';
import { writeAnswer } from '../output/answer.js';
import { formatDiff, formatProxyChanges, hasChanges } from '../output/changes.js';
import type { Session } from '../session.js';
import { filesOption, recursiveOption } from '../shared-options.js';

interface Options {
  readonly file?: readonly string[];
  readonly recursive?: boolean;
  readonly proxies?: boolean;
  readonly exitCode?: boolean;
}

export const command = defineCommand<Options>({
  details:
    'With --proxies: what would change in the Envoys of the instances that run; equal changes of many are shown once. What a deploy would change is in `mesh plan`.',
  examples: [
    { line: 'mesh diff -f world.yaml', what: 'what is stored against what the file says' },
    { line: 'mesh diff -f routes.yaml --proxies', what: 'what the sidecars would be told' },
    { line: 'mesh diff -f . -R --exit-code', what: 'exit 10 when they differ, for scripts' },
  ],
  options: [
    filesOption,
    recursiveOption,
    { flags: '--proxies', description: "the proxies' Envoy configuration instead of the definitions" },
    { flags: '--exit-code', description: 'exit 10 when there are differences' },
  ],
  takes: ['namespace'],
  output: ['table', 'json', 'yaml', 'name'],
  connects: 'api',
  async run(session, _args, options) {
    const files = await readSources(options.file ?? [], { recursive: options.recursive ?? false }, session.io);
    const api = await session.api();
    const { namespace } = session.settings;
    const request: ApplyRequest = { ...session.author(undefined), files, namespace, dryRun: true };
    const answer =
      options.proxies === true ? diffProxies(session, api, request) : diffDefinitions(session, api, request);
    const differs = await withSource(answer, sourceText(files), { outcome: 'nothing compared', next: '' });
    if (!differs) session.say('No differences.');
    return differs && options.exitCode === true ? 10 : 0;
  },
});

async function diffDefinitions(session: Session, api: Api, request: ApplyRequest): Promise<boolean> {
  const response = await api.apply(request);
  const changes = response.changes.filter(({ action }) => action !== 'unchanged');
  await writeAnswer(session, {
    value: { apiVersion: 'mesh/v1', kind: 'DiffResult', revision: response.revision, changes },
    names: changes.map(({ kind, name }) => `${kind.toLowerCase()}/${name}`),
    text: formatDiff(changes, session.style),
  });
  return hasChanges(response);
}

async function diffProxies(session: Session, api: Api, request: ApplyRequest): Promise<boolean> {
  const { revision, proxies, groups } = await api.proxyChanges(request);
  await writeAnswer(session, {
    value: { apiVersion: 'mesh/v1', kind: 'ProxyDiffResult', revision, proxies, groups },
    names: groups.flatMap((group) => group.proxies),
    text: formatProxyChanges(groups, session.style),
  });
  if (proxies === 0) session.say('No instance is planned: see `mesh plan`.');
  return groups.length > 0;
}
