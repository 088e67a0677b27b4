// Does node_modules hold what package-lock.json wants? Prints what it found; exit 1 when not. npm writes the hidden lock
// at the end of an install, so one that was cut off shows.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { root } from '../places.mjs';

const hiddenLock = path.join(root, 'node_modules/.package-lock.json');
const read = (file) => JSON.parse(readFileSync(file, 'utf8')).packages;

const wanted = Object.entries(read(path.join(root, 'package-lock.json'))).filter(([name]) => name !== '');
const installed = existsSync(hiddenLock) ? read(hiddenLock) : {};
// Optional ones are for other systems and processors, as a rule.
const stale = wanted.filter(([name, { version, optional }]) => !optional && installed[name]?.version !== version);

console.log(stale.length === 0 ? `${Object.keys(installed).length} as locked` : `${stale.length} to install`);
process.exit(stale.length === 0 ? 0 : 1);
