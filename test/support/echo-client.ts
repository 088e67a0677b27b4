/** A stock grpc-js client of the demo application's Echo service, through a sidecar's explicit proxy. */
import { Client, credentials } from '@grpc/grpc-js';
import { type EchoReply, echoService } from '../../fixtures/apps/demo-app/echo.js';

export interface SayOptions {
  /** host:port of the sidecar's outbound proxy. */
  readonly proxy: string;
  /** The service as callers name it. */
  readonly target: string;
  /** `connect`: what grpc-js makes of `http_proxy`; `authority`: the proxy is dialled, the authority names the service. */
  readonly how: 'connect' | 'authority';
  readonly message: string;
}

const DEADLINE_MS = 5000;

export async function say({ proxy, target, how, message }: SayOptions): Promise<EchoReply> {
  const client = how === 'authority' ? dialAuthority(proxy, target) : dialThroughProxy(proxy, target);
  try {
    return await new Promise<EchoReply>((resolve, reject) => {
      const { path, requestSerialize, responseDeserialize } = echoService.say;
      client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        { message },
        { deadline: Date.now() + DEADLINE_MS },
        (error, reply) => (error === null ? resolve(reply as EchoReply) : reject(error)),
      );
    });
  } finally {
    client.close();
  }
}

function dialAuthority(proxy: string, target: string): Client {
  return new Client(proxy, credentials.createInsecure(), {
    'grpc.default_authority': target,
    'grpc.enable_http_proxy': 0,
  });
}

/** grpc-js reads the environment when a channel is made. */
function dialThroughProxy(proxy: string, target: string): Client {
  const before = process.env['grpc_proxy'];
  process.env['grpc_proxy'] = `http://${proxy}`;
  try {
    return new Client(target, credentials.createInsecure());
  } finally {
    if (before === undefined) delete process.env['grpc_proxy'];
    else process.env['grpc_proxy'] = before;
  }
}
