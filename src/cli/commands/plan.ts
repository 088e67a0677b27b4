import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { PlanRequest } from '../../model/api.js';
import { MeshError, messageOf } from '../../runtime/mesh-error.js';
import { defineCommand } from '../command.js';
import { writeAnswer } from '../output/answer.js';
import { formatSteps, hasWork, planSummary } from '../output/plan-steps.js';
import { formatProblems } from '../output/problems.js';
import { formatPlan } from '../plan-file.js';
import type { Session } from '../session.js';

interface Options {
  readonly node?: readonly string[];
  readonly service?: readonly string[];
  readonly out?: string;
  readonly exitCode?: boolean;
}

export const command = defineCommand<Options>({
  examples: [
    { line: 'mesh plan', what: 'what a deploy would start, replace and stop' },
    { line: 'mesh plan --out monday.plan', what: 'save it, for `mesh deploy monday.plan`' },
    { line: 'mesh plan --node node-a --exit-code', what: 'one node; exit 10 when there is something to do' },
  ],
  options: [
    { flags: '--node <name>', description: 'only this node; repeatable', repeats: true, completes: 'nodes' },
    { flags: '--service <name>', description: 'only this service; repeatable', repeats: true, completes: 'services' },
    { flags: '--out <file>', description: 'save the plan' },
    { flags: '--exit-code', description: 'exit 10 when there is something to do' },
  ],
  takes: ['namespace'],
  output: ['table', 'json', 'yaml', 'name'],
  connects: 'api',
  async run(session, _args, options) {
    const request = planRequest(session, options);
    const plan = await (await session.api()).plan(request);
    session.io.stderr.write(formatProblems(plan.warnings, () => undefined, session.errorStyle));
    await writeAnswer(session, {
      value: { apiVersion: 'mesh/v1', kind: 'Plan', ...plan },
      names: plan.steps.map(({ instance }) => instance),
      text: `${formatSteps(plan.steps, session.style, plan.plans)}${planSummary(plan.steps)}\n`,
    });
    if (options.out !== undefined) await save(session, options.out, formatPlan(plan, request));
    const run = options.out === undefined ? 'mesh deploy' : `mesh deploy ${options.out}`;
    const saved = options.out === undefined ? '' : `Saved ${options.out} at revision ${plan.basis}. `;
    session.say(
      hasWork(plan.steps) ? `${saved}Next: ${run}` : `${saved}Nothing to do: the nodes' plans are up to date.`,
    );
    return hasWork(plan.steps) && options.exitCode === true ? 10 : 0;
  },
});

export function planRequest(session: Session, options: Pick<Options, 'node' | 'service'>): PlanRequest {
  return {
    namespace: session.settings.namespace,
    ...(options.node === undefined ? {} : { nodes: options.node }),
    ...(options.service === undefined ? {} : { services: options.service }),
  };
}

async function save(session: Session, file: string, text: string): Promise<void> {
  await writeFile(resolve(session.io.cwd, file), text).catch((error: unknown) => {
    throw new MeshError('MESH2007', `could not write ${file}: ${messageOf(error)}`, { hint: 'check --out' });
  });
}
