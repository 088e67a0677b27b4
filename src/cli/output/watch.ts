/** Shows an answer once, or again whenever it has changed, until interrupted. */
import type { Session } from '../session.js';
import { type Answer, formatAnswer, writeAnswer } from './answer.js';

const POLL_INTERVAL_MS = 1000;
const CLEAR_SCREEN = '\u001b[H\u001b[2J';

export async function writeOrWatch(session: Session, read: () => Promise<Answer>): Promise<void> {
  if (!session.settings.watch) return writeAnswer(session, await read());
  const { io, settings } = session;
  const redraws = io.isTTY.stdout && (settings.output === 'table' || settings.output === 'wide');
  let shown: string | undefined;
  for (;;) {
    const answer = await read();
    const text = await formatAnswer(answer, settings.output, true);
    // Ages go on by themselves: on a terminal they are kept up, elsewhere only what has changed is worth a line.
    const seen = redraws ? text : JSON.stringify(answer.value);
    if (seen !== shown) session.write(redraws ? CLEAR_SCREEN + text : text);
    shown = seen;
    await io.clock.sleep(POLL_INTERVAL_MS, io.signal);
  }
}
