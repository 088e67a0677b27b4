/** The plan of a node to the files that it needs, as text. Every file is read back and checked before anyone sees it. */
import { proxyId, sidecarName } from '../model/names.js';
import type { NodePlan, PlannedInstance } from '../model/node-plan.js';
import { byText } from '../model/order.js';
import type { Problem } from '../model/problem.js';
import { instanceBootstrap } from './bootstrap.js';
import { type Checked, checkCompose, checkSame } from './check-rendered.js';
import { composeFile, composeServices, sidecarVolumes } from './compose.js';
import type { Templates } from './templates.js';
import { type RenderText, textRenderer } from './text-renderer.js';

export interface RenderInput {
  readonly plan: NodePlan;
  readonly templates: Templates;
  /** Client endpoints of the store, `host:port`, for apps with an upstream in mode 3 (MESH_ETCD). */
  readonly storeEndpoints: readonly string[];
  /** `uid:gid` that sidecars run as; it owns their folders. Default `0:0`. */
  readonly sidecarUser?: string;
}

export interface RenderedFile {
  /** Relative to the output folder: `<node>/docker-compose.yml`, `<node>/<instance>/envoy.yaml`. */
  readonly path: string;
  readonly text: string;
}

export interface Rendered {
  /** Sorted by path. Empty when there is a problem: a node gets all of its files or none. */
  readonly files: readonly RenderedFile[];
  readonly problems: readonly Problem[];
}

interface Draft extends RenderedFile {
  readonly problems: readonly Problem[];
}

export function renderNode(input: RenderInput): Rendered {
  const render = textRenderer(input.templates);
  const drafts = [
    renderCompose(input, render.compose),
    ...input.plan.instances.map((instance) => renderBootstrap(input.plan, instance, render.bootstrap)),
  ];
  const problems = drafts.flatMap((draft) => draft.problems);
  const files = drafts.map(({ path, text }) => ({ path, text })).toSorted(byText(({ path }) => path));
  return { files: problems.length > 0 ? [] : files, problems };
}

function renderCompose(
  { plan, templates, storeEndpoints, sidecarUser = '0:0' }: RenderInput,
  render: RenderText,
): Draft {
  const path = `${plan.node}/docker-compose.yml`;
  const meant = composeFile(plan, { storeEndpoints, sidecarUser });
  const written = withoutInterpolation(meant);
  const pairs = plan.instances.map((instance) => ({
    title: title(plan, instance),
    services: Object.fromEntries(composeServices(instance).map((name) => [name, written.services[name]])),
  }));
  const text = render({ node: plan.node, revision: plan.revision, pairs, volumes: written.volumes ?? false });
  const ownVolumes = new Map(plan.instances.map(({ instance: id }) => [sidecarName(id), sidecarVolumes(id)]));
  return { path, text, problems: problemsOf(path, checkCompose(text, written, templates.composeSchema, ownVolumes)) };
}

function renderBootstrap(plan: NodePlan, instance: PlannedInstance, render: RenderText): Draft {
  const path = `${plan.node}/${instance.instance}/envoy.yaml`;
  const bootstrap = instanceBootstrap(plan, instance);
  const text = render({ title: title(plan, instance), bootstrap });
  return { path, text, problems: problemsOf(path, checkSame(text, bootstrap)) };
}

function title(plan: NodePlan, { namespace, service, instance }: PlannedInstance): string {
  return proxyId(namespace, service, instance, plan.node);
}

/** Compose would read `$` as the beginning of a variable of its own environment. */
function withoutInterpolation<Value>(value: Value): Value {
  if (typeof value === 'string') return value.replaceAll('$', '$$$$') as Value; // a text stays a text
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(withoutInterpolation) as Value; // and a list a list
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, withoutInterpolation(inner)])) as Value;
}

function problemsOf(file: string, found: readonly Checked[]): Problem[] {
  return found.map(({ path, message }) => ({
    code: 'MESH1019',
    severity: 'error',
    file,
    path,
    message,
    hint: 'nothing was written; change the Version, or the template, that it comes from',
  }));
}
