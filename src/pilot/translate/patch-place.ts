/**
 * What a resource is for who writes a patch: the way it serves, the port of the service that it stands for, and the names that Istio
 * has for it. Nothing of one proxy alone is in the place of a resource that proxies share.
 */
import { serviceHost } from '../../model/names.js';
import type { ProxyScope } from './proxy.js';
import { remember, sameContent } from './remember.js';

export type PatchContext = 'SIDECAR_INBOUND' | 'SIDECAR_OUTBOUND' | 'GATEWAY';

export interface Place {
  /** Undefined for what only makes the mesh work: it is patched when it is named, and not otherwise. */
  readonly context: PatchContext | undefined;
  /** Undefined where many ports are served. */
  readonly port: number | undefined;
  /** Full host of the service that it stands for. */
  readonly host: string | undefined;
}

export type PlaceOf = (name: string) => Place;

/** The same function for the same proxy. */
export type Places = (proxy: PlacedProxy, domain: string) => PlaceOf;

export type PlacedProxy = Pick<ProxyScope, 'isGateway' | 'namespace' | 'service' | 'servicePorts' | 'upstreams'>;

const anySidecar: PlacedProxy = { isGateway: false, namespace: '', service: '', servicePorts: [], upstreams: [] };
const anyGateway: PlacedProxy = { ...anySidecar, isGateway: true };

/** In the place of a proxy for what it shares with others: that is on the way out. */
export function anyLike({ isGateway }: PlacedProxy): PlacedProxy {
  return isGateway ? anyGateway : anySidecar;
}

export const listenerPlaces: Places = remember((scope: PlacedProxy, domain: string): PlaceOf => {
  return (name) => {
    if (scope.isGateway) return gatewayPlace(portIn(/^gateway\|(\d+)/, name));
    return inboundPlace(scope, name, domain) ?? outboundPlace(scope, name, domain);
  };
});

export const routePlaces: Places = remember((scope: PlacedProxy, domain: string): PlaceOf => {
  return (name) => {
    if (scope.isGateway) return gatewayPlace(portIn(/^https?\.(\d+)/, name));
    return inboundPlace(scope, name, domain) ?? outboundPlace(scope, name, domain);
  };
});

export const clusterPlaces: Places = remember((scope: PlacedProxy, domain: string): PlaceOf => {
  return (name) => {
    if (name.startsWith('outbound|')) {
      const [, port, , host = ''] = name.split('|');
      const context = scope.isGateway ? 'GATEWAY' : 'SIDECAR_OUTBOUND';
      return placeAt(context, Number(port), host);
    }
    return inboundPlace(scope, name, domain) ?? nowhere;
  };
});

const nowhere: Place = { context: undefined, port: undefined, host: undefined };

function gatewayPlace(port: number | undefined): Place {
  return placeAt('GATEWAY', port, undefined);
}

function inboundPlace(scope: PlacedProxy, name: string, domain: string): Place | undefined {
  const port = name === 'inbound' ? scope.servicePorts[0]?.port : portIn(/^(?:inbound|ingress)\|(\d+)/, name);
  if (port === undefined) return undefined;
  return placeAt('SIDECAR_INBOUND', port, serviceHost(scope.namespace, scope.service, domain));
}

function outboundPlace({ upstreams }: PlacedProxy, name: string, domain: string): Place {
  const upstream = upstreams.find((one) => `upstream|${one.name}` === name);
  const host = upstream && serviceHost(upstream.namespace, upstream.service, domain);
  return placeAt('SIDECAR_OUTBOUND', upstream?.port, host);
}

function placeAt(context: PatchContext, port: number | undefined, host: string | undefined): Place {
  return sameContent({ context, port, host });
}

function portIn(pattern: RegExp, name: string): number | undefined {
  const port = pattern.exec(name)?.[1];
  return port === undefined ? undefined : Number(port);
}
