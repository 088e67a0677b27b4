/** The pilot's HTTP API. It needs no port (`app.request`), so `mesh --store` runs it in its own process. */
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { MeshError } from '../../runtime/mesh-error.js';
import type { ApiContext } from './context.js';
import { definitionRoutes } from './definitions.js';
import { deploymentRoutes } from './deployments.js';
import { errorResponse } from './errors.js';
import { eventRoutes } from './events.js';
import { evictionRoutes } from './eviction.js';
import { grayRoutes } from './gray.js';
import { instanceRoutes } from './instances.js';
import { processRoutes } from './process.js';
import { proxyRoutes } from './proxies.js';
import { type Route, serveRoute } from './route.js';
import { statusRoutes } from './status.js';
import { watchRoutes } from './watch.js';

export type { ApiContext } from './context.js';

/** The largest change that a command may be (staged.ts), as the JSON that brings it. */
const MAX_BODY_BYTES = 40 * 1024 * 1024;

export function createApi(api: ApiContext): Hono {
  const app = new Hono();
  app.onError((error, context) => errorResponse(context, error, api.log));
  app.notFound((context) => {
    const failure = new MeshError('MESH2005', `${context.req.method} ${context.req.path} is not part of this API`, {
      hint: 'GET /openapi.json lists what is',
    });
    return errorResponse(context, failure, api.log);
  });
  const tooLarge = new MeshError('MESH2007', `the body has more than ${MAX_BODY_BYTES} bytes`, {
    hint: 'apply it in parts, what others refer to first',
  });
  app.use(bodyLimit({ maxSize: MAX_BODY_BYTES, onError: (context) => errorResponse(context, tooLarge, api.log) }));
  // Agents follow plans that they find: nothing may be built upon a store that nobody has accepted.
  app.post('/v1/*', async (_, next) => {
    const frozen = api.live?.frozen() ?? '';
    if (frozen !== '') throw new MeshError('MESH2054', `nothing was changed: this pilot is ${frozen}`);
    await next();
  });
  const routes = routesOf(api);
  for (const route of routes) serveRoute(app, route);
  return app;
}

function routesOf(api: ApiContext): readonly Route[] {
  const routes: Route[] = [
    ...definitionRoutes(api),
    ...deploymentRoutes(api),
    ...instanceRoutes(api),
    ...evictionRoutes(api),
    ...grayRoutes(api),
    ...proxyRoutes(api),
    ...eventRoutes(api),
    ...statusRoutes(api),
    ...watchRoutes(api),
  ];
  routes.push(...processRoutes(api, () => routes));
  return routes;
}
