/** grpc.health.v1.Health, the unary half: balancers and `grpc_health_probe` ask it. */
import { type handleUnaryCall, type ServiceDefinition, status } from '@grpc/grpc-js';
import { unary } from './raw-service.js';
import { field, fieldsOf } from './wire.js';

export const healthService: ServiceDefinition = { Check: unary('/grpc.health.v1.Health/Check') };

const SERVING = 1;
const NOT_SERVING = 2;

export function healthHandler(services: readonly string[], isServing: () => boolean): handleUnaryCall<Buffer, Buffer> {
  return (call, reply) => {
    let service = '';
    for (const { number, bytes } of fieldsOf(call.request)) if (number === 1) service = bytes.toString();
    if (service !== '' && !services.includes(service)) {
      return reply({ code: status.NOT_FOUND, details: `no service ${service}` });
    }
    reply(null, Buffer.from([8, isServing() ? SERVING : NOT_SERVING])); // HealthCheckResponse.status = 1, a varint
  };
}

/** The request for a service's health; for clients that have no generated types. */
export function healthRequest(service: string): Buffer {
  return Buffer.from(field(1, service));
}
