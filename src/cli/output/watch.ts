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
    const text = await formatAnswer(await read(), settings.output, true);
    if (text !== shown) session.write(redraws ? CLEAR_SCREEN + text : text);
    shown = text;
    await io.clock.sleep(POLL_INTERVAL_MS, io.signal);
  }
}
