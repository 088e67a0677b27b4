/**
 * What exactly is produced for each world: problems, steps and every rendered file, compared with `expected/`.
 * After a change that is meant, `npm run worlds:update` writes them again; the difference is reviewed like code.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { PlanStep } from '../src/model/api.js';
import { hasErrors, type Problem } from '../src/model/problem.js';
import { renderNode } from '../src/planner/render.js';
import { readTemplates } from '../src/planner/templates.js';
import { planWorld, readWorld, worldNames, worldOf, worldsDir } from './support/worlds.js';

const isUpdate = process.env['WORLDS_UPDATE'] === '1';
const templates = readTemplates();
const storeEndpoints = ['127.0.0.1:2379'];

function produce(name: string): Map<string, string> {
  const world = worldOf(readWorld(name));
  const planned = planWorld(world);
  const problems = [...world.problems, ...planned.problems];
  const files = new Map([
    ['problems.txt', problems.map(problemLine).join('')],
    ['steps.txt', planned.steps.map(stepLine).join('')],
  ]);
  if (hasErrors(problems)) return files;
  for (const plan of planned.plans) {
    const rendered = renderNode({ plan, templates, storeEndpoints });
    expect(rendered.problems).toEqual([]);
    for (const file of rendered.files) files.set(file.path, file.text);
  }
  return files;
}

function problemLine({ code, severity, file, line, column, path: where, message, hint }: Problem): string {
  return `${file}:${line}:${column} ${severity} ${code} ${where}: ${message}${hint === undefined ? '' : ` (${hint})`}\n`;
}

function stepLine({ action, node, namespace, service, version, instance, reasons }: PlanStep): string {
  return `${action} ${node} ${namespace}/${service} ${version} ${[instance, ...reasons].join(', ')}\n`;
}

function expectedFiles(directory: string): Map<string, string> {
  const entries = existsSync(directory) ? readdirSync(directory, { recursive: true, withFileTypes: true }) : [];
  const files = entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
  return new Map(files.map((file) => [path.relative(directory, file), readFileSync(file, 'utf8')]));
}

function writeFiles(directory: string, files: ReadonlyMap<string, string>): void {
  rmSync(directory, { recursive: true, force: true });
  for (const [name, text] of files) {
    const file = path.join(directory, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
}

describe.each(worldNames())('world %s', (name) => {
  it('is planned and rendered as expected', () => {
    const directory = path.join(worldsDir, name, 'expected');
    const produced = produce(name);
    if (isUpdate) writeFiles(directory, produced);
    const expected = expectedFiles(directory);
    expect([...produced.keys()].toSorted()).toEqual([...expected.keys()].toSorted());
    for (const [file, text] of produced) expect(text, file).toBe(expected.get(file));
  });

  it('needs no step when it is planned again', () => {
    const world = worldOf(readWorld(name));
    const first = planWorld(world);
    const second = planWorld(world, first.plans);
    expect(second.steps).toEqual([]);
    expect(second.plans.map((plan) => plan.revision)).toEqual(first.plans.map((plan) => plan.revision));
  });
});
