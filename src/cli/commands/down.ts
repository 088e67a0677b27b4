import { rm } from 'node:fs/promises';
import { MeshError } from '../../runtime/mesh-error.js';
import { defineCommand } from '../command.js';
import { counted } from '../output/count.js';
import { confirm, type Session } from '../session.js';
import { dataDirOption } from '../shared-options.js';
import { dataDirOf, isRunning, readUpState, type UpState } from '../up-state.js';

interface Options {
  readonly purge?: boolean;
  readonly dataDir?: string;
}

/** It closes streams and writes its last state; more than this means that it hangs. */
const MAX_STOP_MS = 20_000;
const POLL_INTERVAL_MS = 50;

export const command = defineCommand<Options>({
  details: 'Stops the process of `mesh up` and removes the containers of its nodes. The data stay, unless --purge.',
  examples: [
    { line: 'mesh down', what: 'stop; `mesh up` brings everything back' },
    { line: 'mesh down --purge -y', what: 'and forget all definitions and their history' },
  ],
  options: [{ flags: '--purge', description: 'delete the data directory as well' }, dataDirOption],
  async run(session, _args, options) {
    const dataDir = dataDirOf(options.dataDir, session.io);
    const state = await readUpState(dataDir);
    if (state === undefined) {
      throw new MeshError('MESH2005', `there is no mesh in ${dataDir}`, {
        hint: 'name its directory with --data-dir, or start one with `mesh up`',
      });
    }
    if (options.purge === true) await confirmPurge(session, dataDir, options);
    await stopProcess(session, state);
    const { removeNodes } = await import('../remove-nodes.js');
    const removed = await removeNodes(state.nodes, session.io);
    session.say(`${ok(session)} ${counted(removed, 'container')} of ${state.nodes.join(', ') || 'no node'} removed`);
    if (options.purge === true) await rm(dataDir, { recursive: true, force: true });
    session.say(options.purge === true ? `${ok(session)} ${dataDir} deleted` : 'Definitions are kept. Back: mesh up');
  },
});

async function confirmPurge(session: Session, dataDir: string, options: Options): Promise<void> {
  const flag = options.dataDir === undefined ? '' : ` --data-dir ${options.dataDir}`;
  const question = `Stop the mesh and delete ${dataDir}, with all definitions and their history?`;
  await confirm(session, question, `mesh down --purge${flag}`);
}

async function stopProcess(session: Session, state: UpState): Promise<void> {
  if (!(await isRunning(state))) {
    session.say(`${ok(session)} process ${state.pid} had ended already`);
    return;
  }
  process.kill(state.pid, 'SIGTERM');
  const { clock, signal } = session.io;
  const deadlineMs = clock.monotonic() + MAX_STOP_MS;
  while (await isRunning(state)) {
    if (clock.monotonic() >= deadlineMs) {
      session.say(`process ${state.pid} does not stop, it is killed`);
      process.kill(state.pid, 'SIGKILL');
    }
    await clock.sleep(POLL_INTERVAL_MS, signal);
  }
  session.say(`${ok(session)} process ${state.pid} stopped`);
}

function ok({ errorStyle }: Session): string {
  return errorStyle.tone('good', errorStyle.symbol.ok);
}
