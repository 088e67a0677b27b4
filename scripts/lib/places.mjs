// Where the scripts keep things. Everything they make is below `.cache/` (git-ignored), `dist/` or `node_modules/`.
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const cache = path.join(root, '.cache');
export const ENVOY_VERSION = '1.40.0';
export const envoyBinary = path.join(cache, 'envoy/envoy');
