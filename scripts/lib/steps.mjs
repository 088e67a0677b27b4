// One line of progress per step on stderr: `✔ what   detail  0.9s`.

const WHAT_WIDTH = 24;

/** Runs `act`, which answers with the detail to show. A failure shows its message and is thrown on. */
export async function step(what, act) {
  const startedMs = performance.now();
  const show = (sign, detail) => {
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    process.stderr.write(`${sign} ${what.padEnd(WHAT_WIDTH)} ${detail}  ${seconds}s\n`);
  };
  try {
    show('✔', await act());
  } catch (error) {
    show('✘', error.message);
    throw error;
  }
}
