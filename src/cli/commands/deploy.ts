import type { DeployRequest, DeployResponse } from '../../model/api.js';
import { MeshError } from '../../runtime/mesh-error.js';
import { defineCommand } from '../command.js';
import { followDeploy } from '../follow-deploy.js';
import { readTextFile } from '../input.js';
import { writeAnswer } from '../output/answer.js';
import { formatSteps, planSummary } from '../output/plan-steps.js';
import { parsePlan } from '../plan-file.js';
import type { Session } from '../session.js';
import { messageOption } from '../shared-options.js';
import { planRequest } from './plan.js';

interface Options {
  readonly node?: readonly string[];
  readonly service?: readonly string[];
  readonly wait?: boolean;
  readonly message?: string;
}

export const command = defineCommand<Options>({
  details:
    'Plans again and commits; the agents do the rest, new instances first. Waits until they are healthy and the old ones are gone (at most --timeout, default 2m).',
  examples: [
    { line: 'mesh deploy', what: 'everything that is declared' },
    { line: 'mesh deploy monday.plan', what: 'a saved plan; refused when the mesh has moved since' },
    { line: 'mesh deploy --service reviews --no-wait', what: 'one service, and do not wait' },
    { line: 'mesh deploy history', what: 'what was deployed before' },
  ],
  arguments: [{ syntax: '[plan-file]', description: 'made by `mesh plan --out`' }],
  options: [
    { flags: '--node <name>', description: 'only this node; repeatable', repeats: true, completes: 'nodes' },
    { flags: '--service <name>', description: 'only this service; repeatable', repeats: true, completes: 'services' },
    { flags: '--no-wait', description: 'return when the plan is committed' },
    { flags: '--wait', description: 'until every node has reached it (the default)' },
    messageOption,
  ],
  commands: [{ name: 'history', summary: 'Past deploys', load: () => import('./deploy/history.js') }],
  takes: ['namespace'],
  output: ['table', 'json', 'yaml', 'name'],
  connects: 'api',
  async run(session, [file], options) {
    const api = await session.api();
    const response = await api.deploy(await requestOf(session, file, options));
    await writeAnswer(session, {
      value: { apiVersion: 'mesh/v1', kind: 'DeployResult', ...response },
      names: response.steps.map(({ instance }) => instance),
      text: `${formatSteps(response.steps, session.style)}${planSummary(response.steps)}\n`,
    });
    if (response.id === undefined) {
      session.say(`Nothing to do: the nodes' plans are up to date at revision ${response.revision}.`);
      return;
    }
    session.say(`Revision ${response.revision} is committed.`);
    if (options.wait === false) session.say('The agents are at work. Next: mesh ps -w');
    else await waitFor(session, response);
  },
});

async function waitFor(session: Session, response: DeployResponse): Promise<void> {
  const startedMs = session.io.clock.monotonic();
  try {
    await followDeploy(session, await session.api(), response);
  } catch (error) {
    if (session.io.signal.aborted) session.say('The agents go on without this command. See: mesh ps -w');
    throw error;
  }
  const seconds = ((session.io.clock.monotonic() - startedMs) / 1000).toFixed(1);
  session.say(`Every node has reached revision ${response.revision} after ${seconds} s. Next: mesh ps, mesh status`);
}

async function requestOf(session: Session, file: string | undefined, options: Options): Promise<DeployRequest> {
  const author = session.author(options.message);
  if (file === undefined) return { ...author, ...planRequest(session, options) };
  if (options.node !== undefined || options.service !== undefined) {
    throw new MeshError('MESH2007', 'a saved plan has its nodes and services already', {
      hint: `without --node and --service: mesh deploy ${file}`,
    });
  }
  const text = await readTextFile(file, 'a plan is made by `mesh plan --out FILE`', session.io);
  const saved = parsePlan(text, file);
  return { ...author, ...saved.request, basis: saved.basis };
}
