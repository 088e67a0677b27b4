import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { root } from './places.mjs';

/** Names below test/ that hold tests: the quick ones first, then the others by name. */
export function testDirectories() {
  const holdsTests = (name) => {
    const directory = path.join(root, 'test', name);
    return (
      existsSync(directory) && readdirSync(directory, { recursive: true }).some((file) => file.endsWith('.test.ts'))
    );
  };
  const others = readdirSync(path.join(root, 'test'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !['unit', 'features', 'support'].includes(entry.name))
    .map((entry) => entry.name);
  others.sort();
  return ['unit', 'features', ...others].filter(holdsTests);
}
