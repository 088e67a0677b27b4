/** Small gRPC servers that say who they are, and ways to ask: `/test.Echo/Who`, google.protobuf.Empty to StringValue. */
import { type Client, Metadata, Server, ServerCredentials, type ServiceError, status } from '@grpc/grpc-js';
import { field, fieldsOf } from '../../src/xds/wire.js';

const PATH = '/test.Echo/Who';
const same = (bytes: Buffer): Buffer => bytes;
const definition = {
  path: PATH,
  requestStream: false,
  responseStream: false,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
};

export interface WhoServer {
  readonly port: number;
  /** How many of the next calls fail with UNAVAILABLE. */
  failNext(calls: number): void;
  stop(): void;
}

export async function startWho(name: string): Promise<WhoServer> {
  const server = new Server();
  let failing = 0;
  server.addService(
    { Who: definition },
    {
      Who: (_call: unknown, answer: (error: Partial<ServiceError> | null, value?: Buffer) => void) => {
        if (failing-- > 0) answer({ code: status.UNAVAILABLE, details: 'not now' });
        else answer(null, Buffer.from(field(1, name)));
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return { port, failNext: (calls) => void (failing = calls), stop: () => server.forceShutdown() };
}

/** Who answered; rejects with the ServiceError. */
export function askWho(client: Client, headers: Readonly<Record<string, string>> = {}): Promise<string> {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  return new Promise((resolve, reject) => {
    const options = { deadline: Date.now() + 5_000 };
    client.makeUnaryRequest(PATH, same, same, Buffer.alloc(0), metadata, options, (error, answer) => {
      if (error) reject(error);
      else for (const { bytes } of fieldsOf(answer ?? Buffer.alloc(0))) resolve(bytes.toString());
    });
  });
}
