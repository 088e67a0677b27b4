import { describe, expect, it } from 'vitest';
import { mergeForm, readForm } from '../../../src/xds/proto-form.js';

const cluster = 'envoy.config.cluster.v3.Cluster';
const filter = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter';
const route = 'envoy.config.route.v3.Route';
const header = { '@type': 'type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation' };
const lua = 'type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua';

describe('a form that somebody wrote', () => {
  it('has fields in camelCase, whatever spelling they have, and keys of maps as they are', () => {
    const typed = { 'a.b_c': { '@type': lua, default_source_code: { inline_string: 'x' } } };
    expect(
      readForm(cluster, {
        connect_timeout: '1s',
        edsClusterConfig: { service_name: 'x' },
        typed_extension_protocol_options: typed,
      }),
    ).toEqual({
      connectTimeout: '1s',
      edsClusterConfig: { serviceName: 'x' },
      typedExtensionProtocolOptions: { 'a.b_c': { '@type': lua, defaultSourceCode: { inlineString: 'x' } } },
    });
  });

  it.each([
    ['500ms', '0.5s'],
    ['1h30m', '5400s'],
    ['1.5s', '1.5s'],
    ['0s', '0s'],
    ['100us', '0.0001s'],
  ])('has %s as %s', (written, read) => {
    expect(readForm(cluster, { connect_timeout: written })).toEqual({ connectTimeout: read });
  });

  it('has a TypedStruct as the message in it, and a message that is unknown here as a TypedStruct', () => {
    const struct = {
      '@type': 'type.googleapis.com/udpa.type.v1.TypedStruct',
      type_url: lua,
      value: { inline_code: 'x' },
    };
    expect(readForm(filter, { name: 'a', typed_config: struct })).toEqual({
      name: 'a',
      typedConfig: { '@type': lua, inlineCode: 'x' },
    });
    const unknown = { '@type': 'type.googleapis.com/envoy.some.New', some_field: 1 };
    expect(readForm(filter, { name: 'a', typed_config: unknown })).toEqual({
      name: 'a',
      typedConfig: {
        '@type': 'type.googleapis.com/xds.type.v3.TypedStruct',
        typeUrl: 'type.googleapis.com/envoy.some.New',
        value: { some_field: 1 },
      },
    });
  });

  it.each([
    [{ conect_timeout: '1s' }, 'conect_timeout'],
    [{ connect_timeout: 'soon' }, 'connectTimeout'],
    [{ lb_policy: 'BEST' }, 'lbPolicy'],
    [
      { load_assignment: { endpoints: [{ lb_endpoints: [{ endpont: {} }] }] } },
      'loadAssignment.endpoints[0].lbEndpoints[0].endpont',
    ],
    [{ transport_socket: { name: 'x', typed_config: { x: 1 } } }, 'transportSocket.typedConfig.@type'],
  ])('is refused with its place: %j', (written, place) => {
    expect(() => readForm(cluster, written)).toThrow(`at ${place}:`);
  });
});

describe('a merge', () => {
  it('replaces scalars and durations, merges messages and entries of maps, appends lists', () => {
    const target = {
      name: 'a',
      connectTimeout: '1.5s',
      circuitBreakers: { thresholds: [{ maxRequests: 1 }] },
      edsClusterConfig: { serviceName: 'a', edsConfig: { ads: {} } },
      metadata: { filterMetadata: { a: { x: 1 }, b: { y: 1 } } },
    };
    const patch = {
      connectTimeout: '2s',
      circuitBreakers: { thresholds: [{ maxRequests: 2 }] },
      edsClusterConfig: { serviceName: 'b' },
      metadata: { filterMetadata: { b: { z: 1 } } },
    };
    expect(mergeForm(cluster, target, patch, 'append')).toEqual({
      name: 'a',
      connectTimeout: '2s',
      circuitBreakers: { thresholds: [{ maxRequests: 1 }, { maxRequests: 2 }] },
      edsClusterConfig: { serviceName: 'b', edsConfig: { ads: {} } },
      metadata: { filterMetadata: { a: { x: 1 }, b: { z: 1 } } },
    });
    expect(mergeForm(cluster, target, patch, 'replace')['circuitBreakers']).toEqual({
      thresholds: [{ maxRequests: 2 }],
    });
    expect(target.connectTimeout).toBe('1.5s');
  });

  it('lets a field of a oneof take the place of the others', () => {
    const target = { match: { prefix: '/' }, route: { cluster: 'a' } };
    expect(mergeForm(route, target, { directResponse: { status: 503 } }, 'append')).toEqual({
      match: { prefix: '/' },
      directResponse: { status: 503 },
    });
  });

  it('goes into a typed_config of the same type, and replaces one of another type', () => {
    const target = { name: 'h', typedConfig: { ...header, mutations: { requestMutations: [{ remove: 'a' }] } } };
    const more = { typedConfig: { ...header, mutations: { requestMutations: [{ remove: 'b' }] } } };
    expect(mergeForm(filter, target, more, 'append')).toEqual({
      name: 'h',
      typedConfig: { ...header, mutations: { requestMutations: [{ remove: 'a' }, { remove: 'b' }] } },
    });
    const other = { typedConfig: { '@type': lua, inlineCode: 'x' } };
    expect(mergeForm(filter, target, other, 'append')).toEqual({ name: 'h', ...other });
  });

  it('sets a switch to off as well, unlike protobuf on the wire', () => {
    expect(
      mergeForm(cluster, { ignoreHealthOnHostRemoval: true }, { ignoreHealthOnHostRemoval: false }, 'append'),
    ).toEqual({
      ignoreHealthOnHostRemoval: false,
    });
  });
});
