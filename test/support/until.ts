const POLL_MS = 20;

/** Waits for a fact: polls until it is neither undefined nor false. The error names what was waited for and what was seen last. */
export async function until<T>(
  what: string,
  fact: () => T | undefined | false | Promise<T | undefined | false>,
  timeoutMs = 10_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  let last: unknown;
  while (performance.now() < deadline) {
    try {
      const value = await fact();
      if (value !== undefined && value !== false) return value;
      last = value;
    } catch (error) {
      last = error; // a fact that cannot be read yet is not there yet
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(
    `not seen within ${timeoutMs} ms: ${what}; last: ${last instanceof Error ? last.message : String(last)}`,
  );
}
