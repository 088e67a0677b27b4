/** Extension providers of the Mesh, and whether what names one can use it. */
import type { DefinitionView } from '../model/definition.js';
import { builtInProviders, type ExtensionProvider, findProvider } from '../model/extension-provider.js';
import type { Report } from '../model/kind.js';
import { defaultMesh, MESH_NAME, meshKind } from '../model/mesh.js';
import { suggestion } from '../model/suggestion.js';
import { findKnownHost } from './known-host.js';

/** What a provider is good for. */
const uses = {
  accessLogging: ['envoyFileAccessLog', 'envoyHttpAls', 'envoyOtelAls'],
  tracing: ['opentelemetry', 'zipkin'],
  metrics: ['prometheus'],
  CUSTOM: ['envoyExtAuthzGrpc', 'envoyExtAuthzHttp'],
} as const satisfies Readonly<Record<string, readonly (keyof ExtensionProvider)[]>>;

export type ProviderUse = keyof typeof uses;

export function definedProviders(view: DefinitionView): readonly ExtensionProvider[] {
  return (view.get(meshKind, undefined, MESH_NAME)?.spec ?? defaultMesh).extensionProviders;
}

export function checkProvider(
  name: string,
  use: ProviderUse,
  view: DefinitionView,
  report: (problem: Omit<Parameters<Report>[0], 'path'>) => void,
): void {
  const defined = definedProviders(view);
  const provider = findProvider(defined, name);
  if (provider === undefined) {
    const names = [...defined, ...builtInProviders].map((one) => one.name);
    report({
      code: 'MESH1010',
      message: `there is no provider "${name}" in extensionProviders of the Mesh`,
      hint: suggestion(name, names),
    });
    return;
  }
  if (!uses[use].some((type) => provider[type] !== undefined)) {
    report({
      code: 'MESH1005',
      message: `provider "${name}" is not for ${use}`,
      hint: `one with ${uses[use].join(', ')}`,
    });
    return;
  }
  const peer = peerOf(provider);
  if (peer === undefined) return;
  const known = findKnownHost(view, peer.host, peer.namespace);
  if (known?.ports.includes(peer.port)) return;
  const verb = use === 'CUSTOM' ? 'asks' : 'reports to';
  report({
    code: 'MESH1010',
    message:
      known === undefined
        ? `provider "${name}" ${verb} "${peer.host}", which is no host of the mesh`
        : `provider "${name}" ${verb} port ${peer.port} of "${peer.host}", which it has not`,
    hint: known === undefined ? 'define it as a Service or a ServiceEntry' : `there is: ${known.ports.join(', ')}`,
  });
}

/** Whom proxies report to, or ask. */
export interface ProviderPeer {
  readonly host: string;
  /** Where a short name is looked up. */
  readonly namespace: string;
  readonly port: number;
}

/** Undefined for a provider that needs nobody else. */
export function peerOf(provider: ExtensionProvider): ProviderPeer | undefined {
  const { envoyHttpAls, envoyOtelAls, opentelemetry, zipkin, envoyExtAuthzGrpc, envoyExtAuthzHttp } = provider;
  const target = envoyHttpAls ?? envoyOtelAls ?? opentelemetry ?? zipkin ?? envoyExtAuthzGrpc ?? envoyExtAuthzHttp;
  if (target === undefined) return undefined;
  const [namespace, host] = target.service.includes('/') ? target.service.split('/') : ['default', target.service];
  return { host: host ?? '', namespace: namespace ?? '', port: target.port };
}
