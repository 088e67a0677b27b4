// Which files a program loads from this package: its own modules as far as imports lead, and each package of
// node_modules that they name, whole, with that package's dependencies.
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

/** A specifier has no white space: words of messages that end in `from` are no imports. */
const IMPORT = /(?:from|import)\s*\(?\s*['"]([^'"\s]+)['"]/g;
/** A package's own sources, types and maps are not loaded. */
const IS_DEAD_WEIGHT = /\.(ts|map|md|markdown)$|\/(test|tests|docs|\.github)\//;

/** Paths relative to `root`. `self` is the package's own manifest: its modules may be named by its exports. */
export function reachableModules(root, self, main) {
  const files = new Set();
  const packages = new Set();

  const visit = (file) => {
    if (files.has(file)) return;
    files.add(file);
    for (const [, name] of readFileSync(file, 'utf8').matchAll(IMPORT)) follow(file, name);
  };
  const follow = (from, name) => {
    if (name.startsWith('node:')) return;
    if (name.startsWith('.')) visit(path.resolve(path.dirname(from), name));
    else if (name.startsWith(`${self.name}/`)) visit(path.join(root, self.exports[`.${name.slice(self.name.length)}`]));
    else addPackage(packageDirectory(from, name));
  };
  const addPackage = (directory) => {
    if (packages.has(directory)) return;
    packages.add(directory);
    const manifest = path.join(directory, 'package.json');
    const { dependencies = {} } = JSON.parse(readFileSync(manifest, 'utf8'));
    for (const name of Object.keys(dependencies)) {
      if (!name.startsWith('@types/')) addPackage(packageDirectory(manifest, name));
    }
  };

  visit(main);
  for (const directory of packages) for (const file of filesOf(directory)) files.add(file);
  return [...files].map((file) => path.relative(root, file));
}

/** `@scope/name` and `name/deeper` both: the directory below the nearest node_modules that has it. */
function packageDirectory(from, specifier) {
  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
  for (const folder of createRequire(from).resolve.paths(name)) {
    try {
      readFileSync(path.join(folder, name, 'package.json'));
      return path.join(folder, name);
    } catch {
      // not here: one folder up
    }
  }
  throw new Error(`${from} imports ${specifier}, which is not installed`);
}

function filesOf(directory) {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .filter((file) => !IS_DEAD_WEIGHT.test(file) && !file.slice(directory.length).includes('/node_modules/'));
}
