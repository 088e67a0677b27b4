import { readFileSync } from 'node:fs';

/** Of the package, as package.json says. The file is two levels up from src/cli as from dist/cli. */
export function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
