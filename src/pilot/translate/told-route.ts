/** Why a request went where it went: a caller that asks for it is told the name of the route in the answer. */
import type { HeaderValueOptionJson } from '../../xds/envoy-json.js';

/** In a request with any value it asks; in the answer it is `<kind>/<namespace>/<name>/<rule>`. */
const ROUTE_HEADER = 'x-mesh-route';

/** Envoy leaves out a header whose value is empty: nobody who has not asked is told. */
export const toldRoute: HeaderValueOptionJson = {
  header: { key: ROUTE_HEADER, value: `%CEL("${ROUTE_HEADER}" in request.headers ? xds.route_name : "")%` },
  appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD',
};
