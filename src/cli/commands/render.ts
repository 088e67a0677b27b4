import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { NodePlan } from '../../model/node-plan.js';
import { hasErrors } from '../../model/problem.js';
import { defineCommand } from '../command.js';
import { InvalidInput } from '../failure.js';
import { writeAnswer } from '../output/answer.js';
import { planOffline } from '../plan-offline.js';
import type { Session } from '../session.js';
import { recursiveOption } from '../shared-options.js';

interface Options {
  readonly node?: readonly string[];
  readonly out: string;
  readonly file?: readonly string[];
  readonly recursive?: boolean;
}

export const command = defineCommand<Options>({
  details: 'Writes <out>/<node>/docker-compose.yml and <out>/<node>/<instance>/envoy.yaml, as the agents would.',
  examples: [
    { line: 'mesh render', what: 'what the mesh would run, into ./rendered' },
    { line: 'mesh render --node node-a --out /tmp/look', what: 'one node' },
    { line: 'mesh render -f world.yaml', what: 'from files, without any server' },
  ],
  options: [
    { flags: '--node <name>', description: 'only this node; repeatable', repeats: true, completes: 'nodes' },
    { flags: '--out <dir>', description: 'where to write', defaultValue: 'rendered' },
    { flags: '-f, --file <path...>', description: 'from these files, without a server' },
    recursiveOption,
  ],
  takes: ['namespace'],
  output: ['table', 'json', 'yaml', 'name'],
  connects: 'api',
  async run(session, _args, options) {
    const plans = await plansOf(session, options);
    const written = await renderPlans(session, plans, options.out);
    await writeAnswer(session, {
      value: { apiVersion: 'mesh/v1', kind: 'RenderResult', files: written },
      names: written,
      text: written.map((file) => `${file}\n`).join(''),
    });
    if (written.length === 0) session.say('Nothing to render: no node has an instance.');
    else session.say(`Look: docker-compose -f ${written.find((file) => file.endsWith('.yml')) ?? ''} config`);
  },
});

async function plansOf(session: Session, options: Options): Promise<readonly NodePlan[]> {
  if (options.file !== undefined) {
    return planOffline(session, options.file, options.recursive ?? false, options.node);
  }
  const request = options.node === undefined ? {} : { nodes: options.node };
  const { plans } = await (await session.api()).plan({ namespace: session.settings.namespace, ...request });
  return options.node === undefined ? plans : plans.filter(({ node }) => options.node?.includes(node));
}

async function renderPlans(session: Session, plans: readonly NodePlan[], out: string): Promise<string[]> {
  const { renderNode } = await import('../../planner/render.js');
  const { readTemplates } = await import('../../planner/templates.js');
  const templates = readTemplates();
  const rendered = plans.map((plan) => renderNode({ plan, templates, storeEndpoints: [] }));
  const problems = rendered.flatMap((one) => one.problems);
  if (hasErrors(problems)) throw new InvalidInput(problems, { outcome: 'nothing written' });
  const files = rendered.flatMap((one) => one.files);
  for (const { path, text } of files) {
    const target = resolve(session.io.cwd, out, path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, text);
  }
  return files.map(({ path }) => join(out, path));
}
