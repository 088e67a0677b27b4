/** grpc.health.v1.Health, the unary half: balancers and `grpc_health_probe` ask it. */
import { GrpcFailure, grpcCode } from './transport/transport.js';
import { field, fieldsOf } from './wire.js';

export const HEALTH_CHECK = '/grpc.health.v1.Health/Check';

const SERVING = 1;
const NOT_SERVING = 2;

export function healthCheck(services: readonly string[], isServing: () => boolean): (request: Buffer) => Buffer {
  return (request) => {
    let service = '';
    for (const { number, bytes } of fieldsOf(request)) if (number === 1) service = bytes.toString();
    if (service !== '' && !services.includes(service)) {
      throw new GrpcFailure(grpcCode.NOT_FOUND, `no service ${service}`);
    }
    return Buffer.from([8, isServing() ? SERVING : NOT_SERVING]); // HealthCheckResponse.status = 1, a varint
  };
}

/** The request for a service's health; for clients that have no generated types. */
export function healthRequest(service: string): Buffer {
  return Buffer.from(field(1, service));
}
