/** PeerAuthentication: which connections a port takes, in the listeners of an instance. */
import { describe, expect, it } from 'vitest';
import { type ProxyScope, readProxy, translate } from '../../../src/pilot/translate/index.js';
import type { DownstreamTlsContextJson, FilterChainJson } from '../../../src/xds/envoy-json.js';
import { fencedBlocks, readPage } from '../../support/doc-commands.js';
import { problemsIn, proxy, serviceYaml, world, yamls } from '../../support/mesh-world.js';

const FOLDER = '/etc/ssl/reviews';
const bare = proxy([], { service: 'reviews', labels: { app: 'reviews', version: 'v1' } });
const certified: ProxyScope = { ...bare, certificates: FOLDER };

function policy(spec: string, metadata = '{ name: p }'): string {
  return `apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: ${metadata}\nspec: ${spec}\n`;
}

function chainsAt(scope: ProxyScope, name: string, ...texts: readonly string[]): readonly FilterChainJson[] {
  const snapshot = world({ yaml: yamls(serviceYaml('reviews', ['v1']), ...texts) });
  return translate(snapshot, scope).listeners.get(name)?.filterChains ?? [];
}

/** How each chain takes connections, and what it takes, such as `mutual tls`. */
function entrances(chains: readonly FilterChainJson[]): readonly string[] {
  return chains.map(({ transportSocket, filterChainMatch, filters = [] }) => {
    const { requireClientCertificate } = (transportSocket?.typedConfig ?? {}) as DownstreamTlsContextJson;
    const isShut = filters[0]?.name === 'envoy.filters.network.rbac';
    const how = isShut
      ? 'closed'
      : transportSocket === undefined
        ? 'plain'
        : requireClientCertificate
          ? 'mutual'
          : 'tls';
    return [how, filterChainMatch?.transportProtocol ?? 'any'].join(' ');
  });
}

const modesOf = (scope: ProxyScope, ...texts: readonly string[]) => entrances(chainsAt(scope, 'inbound', ...texts));

const ingress = (port: string): string =>
  `apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: { name: s }\nspec: { ingress: [{ port: ${port} }] }\n`;

describe('callers of an instance', () => {
  it('come in plain where nobody says anything', () => {
    expect(modesOf(certified)).toEqual(['plain any']);
    expect(modesOf(certified, policy('{}'))).toEqual(['plain any']);
  });

  it('must show a certificate with STRICT', () => {
    expect(modesOf(certified, policy('{ mtls: { mode: STRICT } }'))).toEqual(['mutual any']);
  });

  it('come in by TLS of the mesh or plain with PERMISSIVE', () => {
    const chains = chainsAt(certified, 'inbound', policy('{ mtls: { mode: PERMISSIVE } }'));
    expect(entrances(chains)).toEqual(['mutual tls', 'plain raw_buffer']);
    expect(chains[0]?.filterChainMatch?.applicationProtocols).toContain('istio');
    expect(chains[0]?.filters).toEqual(chains[1]?.filters);
  });

  it('come in plain with DISABLE', () => {
    expect(modesOf(certified, policy('{ mtls: { mode: DISABLE } }'))).toEqual(['plain any']);
  });

  it('do not come in at all with STRICT where the instance has no certificates', () => {
    expect(modesOf(bare, policy('{ mtls: { mode: STRICT } }'))).toEqual(['closed any']);
    expect(modesOf(bare, policy('{ mtls: { mode: PERMISSIVE } }'))).toEqual(['plain any']);
    const strict = world({ yaml: yamls(serviceYaml('reviews', ['v1']), policy('{ mtls: { mode: STRICT } }')) });
    expect(translate(strict, bare).problems.map(({ message }) => message)).toEqual([
      expect.stringMatching(/^nobody comes in at port 9080: .*STRICT/),
    ]);
  });

  it('are known by certificates of the mesh, of a trust domain of its own', () => {
    const mesh =
      'apiVersion: mesh/v1\nkind: Mesh\nmetadata: { name: mesh }\nspec: { trustDomain: shop, trustDomainAliases: [old] }\n';
    const [chain] = chainsAt(certified, 'inbound', mesh, policy('{ mtls: { mode: STRICT } }'));
    expect(chain?.transportSocket?.typedConfig).toMatchObject({
      requireClientCertificate: true,
      commonTlsContext: {
        tlsCertificates: [
          { certificateChain: { filename: `${FOLDER}/cert-chain.pem` }, privateKey: { filename: `${FOLDER}/key.pem` } },
        ],
        validationContext: {
          trustedCa: { filename: `${FOLDER}/root-cert.pem` },
          matchTypedSubjectAltNames: [
            { sanType: 'URI', matcher: { prefix: 'spiffe://shop/' } },
            { sanType: 'URI', matcher: { prefix: 'spiffe://old/' } },
          ],
        },
        alpnProtocols: ['h2', 'http/1.1'],
      },
    });
  });

  it('are asked at each port as it says', () => {
    const ports = policy(
      '{ selector: { matchLabels: { app: reviews } }, mtls: { mode: STRICT }, portLevelMtls: { "7070": { mode: DISABLE } } }',
    );
    const sidecar = ingress('{ number: 7070, protocol: HTTP, name: more }');
    expect(modesOf(certified, ports, sidecar)).toEqual(['mutual any']);
    expect(entrances(chainsAt(certified, 'ingress|7070', ports, sidecar))).toEqual(['plain any']);
  });

  it('may speak TLS of their own to an app that takes bytes, and may wait for it to speak first', () => {
    const permissive = policy('{ mtls: { mode: PERMISSIVE } }');
    const yaml = yamls(
      serviceYaml('reviews', ['v1']),
      permissive,
      ingress('{ number: 7071, protocol: TCP, name: raw }'),
    );
    const listener = translate(world({ yaml }), certified).listeners.get('ingress|7071');
    expect(entrances(listener?.filterChains ?? [])).toEqual(['mutual tls', 'plain any']);
    expect(listener?.continueOnListenerFiltersTimeout).toBe(true);
  });

  it('meet the tls of an ingress only where they come in plain', () => {
    const tls = `apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: s }
spec: { ingress: [{ port: { number: 7070, protocol: HTTPS, name: own }, tls: { mode: SIMPLE, serverCertificate: /c, privateKey: /k } }] }
`;
    const strict = policy('{ mtls: { mode: STRICT } }');
    expect(entrances(chainsAt(certified, 'ingress|7070', tls))).toEqual(['tls any']);
    expect(entrances(chainsAt(certified, 'ingress|7070', tls, strict))).toEqual(['mutual any']);
    const snapshot = world({ yaml: yamls(serviceYaml('reviews', ['v1']), tls, strict) });
    expect(translate(snapshot, certified).problems.map(({ kind, message }) => `${kind}: ${message}`)).toEqual([
      expect.stringMatching(/^Sidecar: tls of ingress port 7070 does nothing/),
    ]);
  });

  it('are asked by the closest policy, and those of other namespaces do not count', () => {
    const everywhere = policy('{ mtls: { mode: STRICT } }', '{ name: p, namespace: istio-system }');
    const elsewhere = policy('{ mtls: { mode: STRICT } }', '{ name: p, namespace: shop }');
    expect(modesOf(certified, everywhere)).toEqual(['mutual any']);
    expect(modesOf(certified, elsewhere)).toEqual(['plain any']);
    expect(modesOf(certified, everywhere, policy('{ mtls: { mode: DISABLE } }'))).toEqual(['plain any']);
    expect(modesOf(certified, everywhere, policy('{ mtls: { mode: UNSET } }'))).toEqual(['mutual any']);
  });

  it('leave the listener as it was when another definition changes', () => {
    const strict = policy('{ mtls: { mode: STRICT } }');
    const listener = (more: string) =>
      translate(world({ yaml: yamls(serviceYaml('reviews', ['v1']), strict, more) }), certified).listeners.get(
        'inbound',
      );
    expect(listener(serviceYaml('ratings', ['v1']))).toBe(listener(serviceYaml('details', ['v1'])));
  });
});

describe('the how-to', () => {
  it('shows definitions that are right', () => {
    const blocks = fencedBlocks(readPage('docs/how-to/mutual-tls.md'), 'yaml');
    expect(blocks).toHaveLength(4);
    for (const { text } of blocks) {
      const errors = problemsIn(text, serviceYaml('productpage', ['v1'])).filter(
        ({ severity }) => severity === 'error',
      );
      expect(errors.map(({ message }) => message)).toEqual([]);
    }
  });
});

describe('a proxy', () => {
  const metadata = (certificates: unknown) => {
    const { id, locality, isGateway: _, ...mesh } = bare;
    return readProxy({ id, locality, metadata: { mesh: { ...mesh, certificates } } });
  };

  it('says which folder of certificates it may read', () => {
    expect(metadata(FOLDER)).toMatchObject({ scope: { certificates: FOLDER } });
    expect(metadata(7)).toMatchObject({ kind: 'refused', reason: expect.stringContaining('mesh.certificates') });
  });
});

describe('apply tells of a PeerAuthentication', () => {
  const told = (...texts: readonly string[]): readonly string[] =>
    problemsIn(yamls(serviceYaml('reviews', ['v1']), ...texts)).map(({ message }) => message);
  const forReviews = 'selector: { matchLabels: { app: reviews } }';

  it('that a service has no certificates for it', () => {
    expect(told(policy('{ mtls: { mode: STRICT } }'))).toEqual([
      'STRICT needs certificates, which the Service has not: nobody comes in at default/reviews:9080',
    ]);
    expect(told(policy('{ mtls: { mode: PERMISSIVE } }'))).toEqual([
      'PERMISSIVE needs certificates, which the Service has not: only plain callers come in at default/reviews:9080',
    ]);
    expect(told(policy('{ mtls: { mode: DISABLE } }'))).toEqual([]);
  });

  it('that an older one wins', () => {
    const first = policy('{ mtls: { mode: DISABLE } }', '{ name: a }');
    expect(told(first, policy('{ mtls: { mode: DISABLE } }', '{ name: b }'))).toEqual([
      'PeerAuthentication default/a is for the namespace already, and wins',
    ]);
    const own = (name: string, selector = forReviews) =>
      policy(`{ ${selector}, mtls: { mode: DISABLE } }`, `{ name: ${name} }`);
    expect(told(first, own('b'), own('c', 'selector: { matchLabels: { version: v1 } }'))).toEqual([
      'PeerAuthentication default/b is for some of these instances already, and wins',
    ]);
    expect(told(own('b'), own('c', 'selector: { matchLabels: { app: ratings } }'))).toEqual([]);
  });

  it('that its selector says nothing', () => {
    expect(told(policy('{ selector: { matchLabels: {} } }'))).toEqual([
      'a selector without labels is for all of namespace default',
    ]);
    expect(told(policy(`{ ${forReviews} }`, '{ name: p, namespace: istio-system }'))).toEqual([
      'it is for nobody: in the root namespace istio-system a PeerAuthentication is for the whole mesh',
    ]);
  });

  it('that nothing of it has such a port', () => {
    expect(told(policy(`{ ${forReviews}, portLevelMtls: { "1234": { mode: DISABLE } } }`))).toEqual([
      'no service that this is for has port 1234',
    ]);
  });
});
