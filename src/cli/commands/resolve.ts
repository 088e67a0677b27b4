import type { CallerView, CallerViewRequest } from '../../model/api.js';
import type { MeshRequest } from '../../resolve/request.js';
import type { Resolution } from '../../resolve/resolution.js';
import { MeshError } from '../../runtime/mesh-error.js';
import { defineCommand } from '../command.js';
import { writeAnswer } from '../output/answer.js';
import { formatPairs, formatTable } from '../output/table.js';
import { worldOffline } from '../plan-offline.js';
import type { Session } from '../session.js';
import { recursiveOption } from '../shared-options.js';

interface Options {
  readonly from?: string;
  readonly header?: readonly string[];
  readonly path: string;
  readonly method: string;
  readonly file?: readonly string[];
  readonly recursive?: boolean;
}

export const command = defineCommand<Options>({
  details:
    "The decision of the caller's Envoy, computed on the configuration that it is served: nothing is sent. Without --from, for a caller that no rule names.",
  examples: [
    { line: 'mesh resolve reviews', what: 'which rule, which version, which endpoints' },
    { line: 'mesh resolve reviews --from productpage --header end-user=jason', what: 'for one caller and one user' },
    { line: 'mesh resolve reviews:9080 --path /reviews/1 -f world.yaml', what: 'from files, without a server' },
  ],
  arguments: [{ syntax: '<host>', description: 'what the caller calls: HOST or HOST:PORT', completes: 'services' }],
  options: [
    {
      flags: '--from <service>',
      description: 'who calls: SERVICE, SERVICE.NAMESPACE, SERVICE@NODE',
      completes: 'services',
    },
    { flags: '--header <name=value>', description: 'a header of the request; repeatable', repeats: true },
    { flags: '--path <path>', description: 'path and query', defaultValue: '/' },
    { flags: '--method <method>', description: 'method', defaultValue: 'GET' },
    { flags: '-f, --file <path...>', description: 'from these files, without a server' },
    recursiveOption,
  ],
  takes: ['namespace'],
  output: ['table', 'json', 'yaml'],
  connects: 'api',
  async run(session, [host = ''], options) {
    const { routesFor } = await import('../../resolve/decide.js');
    const { requestOf } = await import('../../resolve/request.js');
    const { resolve, ruleWords } = await import('../../resolve/resolution.js');
    const request = requestOf({ host, path: pathOf(options), method: options.method, headers: headersOf(options) });
    const view = await viewOf(session, host, options);
    const resources = resourcesOf(view);
    const routes = routesFor(resources, host);
    if (routes === undefined) throw nobodyListens(host, view, resources.routes.keys());
    const resolved = resolve(resources, routes, request);
    const leftOut = view.leftOut.map(({ rule, why }) => ({ rule: ruleWords(rule), why }));
    const resolution = { ...resolved, notTaken: [...leftOut, ...resolved.notTaken] };
    await writeAnswer(session, {
      value: { apiVersion: 'mesh/v1', kind: 'Resolution', revision: view.revision, caller: view.caller, ...resolution },
      text: textOf(request, view.caller, resolution),
    });
    if (resolution.route === undefined) session.say(adviceOf(resolution, view.caller));
  },
});

function nobodyListens(host: string, { caller }: CallerView, routes: Iterable<string>): MeshError {
  const ports = [...routes].map((name) => name.split('.')[1]);
  return new MeshError('MESH2005', `${caller} listens at no port for ${host}`, {
    hint: ports.length === 0 ? 'no Gateway selects it' : `write HOST:PORT; it has ${ports.join(', ')}`,
  });
}

function pathOf({ path }: Options): string {
  if (path.startsWith('/') && !path.includes('#')) return path;
  throw new MeshError('MESH2007', `"${path}" is no path of a request: Envoy answers 400`, {
    hint: 'write --path /… without a # in it; the query may stand behind a ?',
  });
}

function headersOf({ header = [] }: Options): Record<string, string> {
  return Object.fromEntries(
    header.map((text) => {
      const at = text.indexOf('=');
      if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
      throw new MeshError('MESH2007', `"${text}" is no header`, { hint: 'write --header name=value' });
    }),
  );
}

async function viewOf(session: Session, host: string, { from, file, recursive = false }: Options): Promise<CallerView> {
  const { namespace } = session.settings;
  const request: CallerViewRequest = { host, namespace, ...(from === undefined ? {} : { from }) };
  if (file === undefined) return (await session.api()).callerView(request);
  const { callerViewOffline } = await import('../../pilot/offline.js');
  const { index, plans } = await worldOffline(session, file, recursive);
  return callerViewOffline(index, plans, request);
}

/** Envoy's JSON, as the pilot of this version writes it. */
function resourcesOf({ resources }: CallerView) {
  const byName = <Json>(type: keyof CallerView['resources']): ReadonlyMap<string, Json> =>
    new Map(resources[type].map(({ name, resource }) => [name, resource as Json]));
  return {
    routes: byName<object>('routes'),
    clusters: byName<object>('clusters'),
    endpoints: byName<object>('endpoints'),
  };
}

function textOf({ host, method, path }: MeshRequest, caller: string, resolution: Resolution): string {
  const { route, destinations, effects, notTaken } = resolution;
  const head = formatPairs([
    ['Request', `${method} http://${host}${path}`],
    ['Caller', caller === '' ? 'anybody' : caller],
    ...(route === undefined ? [] : [['Rule', `${route.kind} ${route.name} ${route.rule} (${route.matched})`] as const]),
    ...effects.map(({ name, value }) => [`${name.charAt(0).toUpperCase()}${name.slice(1)}`, value] as const),
  ]);
  const rows = destinations.flatMap(({ service, version, weight, endpoints }) => {
    const first = [service, version === '' ? '-' : version, `${weight} %`];
    if (endpoints.length === 0) return [[...first, 'none: answered 503', '', '']];
    return endpoints.map(({ address, node, health }, i) => [
      ...(i === 0 ? first : ['', '', '']),
      address,
      node,
      health,
    ]);
  });
  const where =
    rows.length === 0 ? '' : `\n${formatTable(['SERVICE', 'VERSION', 'SHARE', 'ENDPOINT', 'NODE', 'HEALTH'], rows)}`;
  const rest =
    notTaken.length === 0
      ? ''
      : `\n${formatTable(
          ['NOT TAKEN', 'WHY'],
          notTaken.map(({ rule, why }) => [rule, why]),
        )}`;
  return `${head}${where}${rest}`;
}

function adviceOf({ host, notTaken }: Resolution, caller: string): string {
  if (notTaken.length > 0) return 'No rule takes it: a last rule without conditions would.';
  if (caller === '') return `No host of the mesh is called ${host}: see \`mesh get services\`.`;
  return `A caller reaches its upstreams only: see \`mesh get service ${caller.split('/')[1] ?? ''} -o yaml\`.`;
}
