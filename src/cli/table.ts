/** The commands, a line each. What a command needs is loaded when it runs, so that `mesh --help` stays quick. */
import type { Row } from './command.js';

const dayOne = 'Day one';
const definitions = 'Definitions';
const running = 'What runs';
const traffic = 'Traffic';
const processes = 'Processes';
const more = 'More';

export const commands: readonly Row[] = [
  row(dayOne, 'up', 'Run the whole mesh on this machine', () => import('./commands/up.js')),
  row(dayOne, 'down', 'Stop the mesh of this machine', () => import('./commands/down.js')),
  row(dayOne, 'status', 'One screen: pilots, nodes, services, proxies, releases', () => import('./commands/status.js')),
  row(definitions, 'apply', 'Make the definitions in files the ones that hold', () => import('./commands/apply.js')),
  row(definitions, 'validate', 'Check files without a server', () => import('./commands/validate.js')),
  row(definitions, 'diff', 'Show what apply would change', () => import('./commands/diff.js')),
  row(definitions, 'get', 'List definitions of a kind', () => import('./commands/get.js')),
  row(
    definitions,
    'describe',
    'Show one definition with all that belongs to it',
    () => import('./commands/describe.js'),
  ),
  row(definitions, 'edit', 'Change one definition in your editor', () => import('./commands/edit.js')),
  row(definitions, 'delete', 'Remove definitions', () => import('./commands/delete.js')),
  row(definitions, 'history', 'Who changed what, when and why', () => import('./commands/history.js')),
  row(definitions, 'rollback', 'Take definitions back to an earlier revision', () => import('./commands/rollback.js')),
  row(definitions, 'kinds', 'List the kinds of definitions', () => import('./commands/kinds.js')),
  row(definitions, 'explain', 'Explain a kind, a field or a code', () => import('./commands/explain.js')),
  row(definitions, 'schema', 'JSON Schema of the kinds, for editors', () => import('./commands/schema.js')),
  row(running, 'render', 'Write the compose files and Envoy bootstraps', () => import('./commands/render.js')),
  row(running, 'plan', 'Show what deploy would do', () => import('./commands/plan.js')),
  row(running, 'deploy', 'Run what the definitions say', () => import('./commands/deploy.js')),
  row(running, 'ps', 'List instances', () => import('./commands/ps.js')),
  row(
    running,
    'thaw',
    'Remove instances that the guard against mass loss has kept',
    () => import('./commands/thaw.js'),
  ),
  row(running, 'logs', 'Show the output of instances', () => import('./commands/logs.js')),
  row(running, 'events', 'What happened of late', () => import('./commands/events.js')),
  row(running, 'node', 'Nodes and their agents', () => import('./commands/node.js')),
  row(traffic, 'gray', 'Gray release: shift traffic to a new version, and back', () => import('./commands/gray.js')),
  row(traffic, 'resolve', 'Where a request goes, and why', () => import('./commands/resolve.js')),
  row(traffic, 'proxy', 'What the sidecars have and acknowledged', () => import('./commands/proxy.js')),
  row(
    traffic,
    'sidecar',
    'What calls for an instance: the bootstrap of a gRPC client',
    () => import('./commands/sidecar.js'),
  ),
  row(processes, 'pilot', 'Run a pilot: xDS and HTTP API', () => import('./commands/pilot.js')),
  row(processes, 'agent', "Run a node's agent", () => import('./commands/agent.js')),
  row(processes, 'store', 'The store itself: status, backup, copy, adopt', () => import('./commands/store.js')),
  row(more, 'completion', 'Script that completes commands in your shell', () => import('./commands/completion.js')),
  row(more, 'version', 'Version of this command and of the pilot', () => import('./commands/version.js')),
  row(more, 'help', 'Help for a command, or `help exit-codes`', () => import('./commands/help.js')),
  { ...row(more, '__complete', 'Words for completion', () => import('./commands/complete.js')), hidden: true },
];

function row(section: string, name: string, summary: string, load: Row['load']): Row {
  return { section, name, summary, load };
}
