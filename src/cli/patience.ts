import type { Session } from './session.js';

const FIRST_WORD_MS = 2000;
const NEXT_WORD_MS = 5000;

/** Says now and then that a change is under way: a large one takes a while, and shows nothing before all of it is there. */
export async function patiently<T>(session: Session, doing: string, answer: Promise<T>): Promise<T> {
  const { clock } = session.io;
  const answered = new AbortController();
  const startedMs = clock.monotonic();
  const talk = async (): Promise<void> => {
    for (let pauseMs = FIRST_WORD_MS; ; pauseMs = NEXT_WORD_MS) {
      await clock.sleep(pauseMs, answered.signal);
      const seconds = Math.round((clock.monotonic() - startedMs) / 1000);
      session.say(`Still ${doing}, ${seconds} s: it takes effect all at once.`);
    }
  };
  const talking = talk().catch(() => undefined); // answered
  try {
    return await answer;
  } finally {
    answered.abort();
    await talking;
  }
}
