import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkBootstrap, decodeMessage, encodeMessage, encodeResource } from '../../../src/xds/encode.js';
import { any } from '../../../src/xds/envoy-any.js';
import { fieldsOf } from '../../../src/xds/layer-bytes.js';
import { knowsMessage } from '../../../src/xds/registry.js';
import { deltaDiscoveryResponse, discoveryResponse, type Pieces } from '../../../src/xds/wire.js';
import { cluster, listener, typeUrlOf } from '../../support/xds-resources.js';

const root = path.resolve(import.meta.dirname, '../../..');

describe('encodeResource', () => {
  test('gives equal bytes and digests whatever order keys and map entries stand in', () => {
    const one = encodeResource('RTDS', { name: 'layer', layer: { a: 1, b: { c: 2, d: 3 } } });
    const other = encodeResource('RTDS', { layer: { b: { d: 3, c: 2 }, a: 1 }, name: 'layer' });
    expect(other.digest).toBe(one.digest);
    expect(other.bytes).toEqual(one.bytes);
    expect(one.digest).toMatch(/^[0-9a-f]{16}$/);
  });

  test('brings back what went in, extensions unpacked', () => {
    const json = { name: 'l', useOriginalDst: true, listenerFilters: [{ name: 't', typedConfig: tlsInspector }] };
    expect(decodeMessage('envoy.config.listener.v3.Listener', encodeResource('LDS', json).bytes)).toEqual(json);
  });

  test('names the place of an unknown field, through lists and extensions', () => {
    const bad = {
      name: 'l',
      listenerFilters: [{ name: 'ok' }, { name: 't', typedConfig: { ...tlsInspector, foo: 1 } }],
    };
    expect(() => encodeResource('LDS', bad)).toThrow(/at listenerFilters\[1\]\.typedConfig\.foo: .*"foo" is unknown/);
  });

  test('names the place of a bad enum value, through maps', () => {
    expect(() => encodeResource('CDS', { name: 'c', type: 'EDDS' })).toThrow(/Cluster at type: .*"EDDS"/);
    const bad = { name: 'c', typedExtensionProtocolOptions: { a: tlsInspector, b: { '@type': 'x/no.Such' } } };
    expect(() => encodeResource('CDS', bad)).toThrow(/at typedExtensionProtocolOptions\.b\.@type: /);
  });

  test('encodes a resource in parts to the message that it is', () => {
    const host = (name: string): object => ({
      name,
      domains: [name],
      routes: [{ match: { prefix: '/' }, route: { cluster: 'c' } }],
    });
    const routes = { name: 'r', validateClusters: true, virtualHosts: [host('a'), host('b')] };
    expect(decodeMessage('envoy.config.route.v3.RouteConfiguration', encodeResource('RDS', routes).bytes)).toEqual(
      routes,
    );
    const end = (portValue: number): object => ({
      endpoint: { address: { socketAddress: { address: '10.0.0.1', portValue } } },
    });
    const place = (zone: string, ...ports: number[]): object => ({ locality: { zone }, lbEndpoints: ports.map(end) });
    const endpoints = { clusterName: 'c', endpoints: [place('a', 1, 2), place('b', 3)] };
    const { bytes } = encodeResource('EDS', endpoints);
    expect(decodeMessage('envoy.config.endpoint.v3.ClusterLoadAssignment', bytes)).toEqual(endpoints);
  });

  test('names the place of a mistake in a part of a resource', () => {
    const bad = {
      name: 'r',
      virtualHosts: [
        { name: 'a', domains: ['a'] },
        { name: 'b', domain: ['b'] },
      ],
    };
    expect(() => encodeResource('RDS', bad)).toThrow(/RouteConfiguration at virtualHosts\[1\]\.domain: /);
    expect(() => encodeResource('RDS', { name: 'r', virtualHosts: [null] })).toThrow(/RouteConfiguration/);
  });

  test('refuses a resource without its name', () => {
    expect(() => encodeResource('EDS', { name: 'wrong field' })).toThrow(/EDS resource without clusterName/);
  });

  test('knows what a resource waits for', () => {
    expect(cluster('c').needs).toEqual(['c']);
    const renamed = { name: 'c', type: 'EDS', edsClusterConfig: { serviceName: 'other' } };
    expect(encodeResource('CDS', renamed).needs).toEqual(['other']);
    expect(encodeResource('CDS', { name: 'c', type: 'STATIC' }).needs).toEqual([]);
    expect(listener('l', 'r').needs).toEqual(['r']);
  });
});

function joined(message: Pieces): Buffer {
  const bytes = Buffer.alloc(message.byteLength);
  expect(message.copy(bytes, 0)).toBe(bytes.length);
  return bytes;
}

describe('framing', () => {
  test('a resource stands in a delta response with its name, digest and type', () => {
    const resource = cluster('c');
    const message = deltaDiscoveryResponse(
      resource.typeUrl,
      'v',
      '7',
      fieldsOf([resource, cluster('d')], 'deltaField'),
      ['gone', 'too'],
    );
    const json = decodeMessage('envoy.service.discovery.v3.DeltaDiscoveryResponse', joined(message)) as {
      resources: object[];
    };
    expect(json).toMatchObject({ systemVersionInfo: 'v', nonce: '7', removedResources: ['gone', 'too'] });
    expect(json.resources[0]).toMatchObject({
      name: 'c',
      version: resource.digest,
      resource: { '@type': typeUrlOf('CDS'), name: 'c', connectTimeout: '1s' },
    });
    expect(json.resources).toHaveLength(2);
  });

  test('the same memory stands in a state-of-the-world response', () => {
    const resource = cluster('c');
    const message = discoveryResponse(resource.typeUrl, 'v', '7', fieldsOf([resource], 'sotwField'));
    const json = decodeMessage('envoy.service.discovery.v3.DiscoveryResponse', joined(message));
    expect(json).toMatchObject({ versionInfo: 'v', nonce: '7', resources: [{ '@type': typeUrlOf('CDS'), name: 'c' }] });
    expect(resource.sotwField.buffer).toBe(resource.deltaField.buffer);
    expect(resource.bytes.buffer).toBe(resource.deltaField.buffer);
  });
});

describe('the registry', () => {
  test('covers every file of the entry list', () => {
    const entries = readFileSync(path.join(root, 'src/xds/envoy-proto-entries.txt'), 'utf8')
      .split('\n')
      .filter(Boolean);
    const generated = readFileSync(path.join(root, 'src/xds/generated/entries.ts'), 'utf8');
    expect(entries.filter((entry) => !generated.includes(`'./${entry.slice(0, -6)}_pb.js'`))).toEqual([]);
    expect(knowsMessage('envoy.extensions.filters.http.router.v3.Router')).toBe(true);
    expect(knowsMessage('envoy.config.core.v3.Node')).toBe(true); // imported, not listed
    expect(knowsMessage('envoy.no.Such')).toBe(false);
  });

  test('refuses a message that is not in it', () => {
    expect(() => encodeMessage('envoy.no.Such', {})).toThrow(/envoy-proto-entries\.txt/);
  });
});

describe('checkBootstrap', () => {
  test('accepts both spellings of field names', () => {
    checkBootstrap({ node: { id: 'a' }, static_resources: { clusters: [{ name: 'c', connect_timeout: '1s' }] } });
    checkBootstrap({ node: { id: 'a' }, staticResources: { clusters: [{ name: 'c', connectTimeout: '1s' }] } });
  });

  test('names the place of a mistake', () => {
    const bad = { static_resources: { clusters: [{ name: 'c', conect_timeout: '1s' }] } };
    expect(() => checkBootstrap(bad)).toThrow(/at static_resources\.clusters\[0\]\.conect_timeout/);
    expect(() => checkBootstrap('text')).toThrow(/Bootstrap/);
  });
});

const tlsInspector = any('envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector', {});
