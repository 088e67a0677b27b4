/** etcd's services, from the .proto files that the etcd3 package carries. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { loadPackageDefinition, type ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

export const ETCD_SERVICES = ['KV', 'Watch', 'Lease', 'Maintenance', 'Cluster'] as const;

export type EtcdServices = Readonly<Record<(typeof ETCD_SERVICES)[number], ServiceDefinition>>;

const requestBytes = new WeakMap<object, number>();

/** How long a request was on the wire. */
export function bytesOfRequest(request: object): number {
  return requestBytes.get(request) ?? 0;
}

export function loadEtcdServices(): EtcdServices {
  const main = createRequire(import.meta.url).resolve('etcd3');
  const file = join(dirname(main), '..', 'proto', 'rpc.proto');
  const definition = loadSync(file, { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true });
  const loaded = loadPackageDefinition(definition)['etcdserverpb'] as unknown as Record<
    string,
    { service: ServiceDefinition }
  >; // the package's name is in the file
  return Object.fromEntries(ETCD_SERVICES.map((name) => [name, measured(loaded[name]?.service ?? {})])) as EtcdServices; // every name is mapped
}

function measured(service: ServiceDefinition): ServiceDefinition {
  const methods = Object.entries(service).map(([name, method]) => {
    const requestDeserialize = (bytes: Buffer): object => {
      const request = method.requestDeserialize(bytes) as object; // a message is always an object
      requestBytes.set(request, bytes.length);
      return request;
    };
    return [name, { ...method, requestDeserialize }];
  });
  return Object.fromEntries(methods) as ServiceDefinition; // the same methods
}
