/** What an application's compiler sees of the library. Checked by `npm run check`, which compiles the tests. */
import { expectTypeOf, it } from 'vitest';
import type { registerEtcdResolver } from '../../../src/client/grpc.js';
import { type Environment, isHttpUpstream, resolveAddress, type UpstreamAddress } from '../../../src/client/index.js';
import { type Naming, openNaming } from '../../../src/client/naming.js';
import { type RegisterOptions, type Registration, register } from '../../../src/client/register.js';

it('process.env is an environment, and an address tells its mode', () => {
  expectTypeOf<NodeJS.ProcessEnv>().toExtend<Environment>();
  expectTypeOf(resolveAddress).returns.toEqualTypeOf<UpstreamAddress | undefined>();
  expectTypeOf(isHttpUpstream).returns.toEqualTypeOf<boolean>();
  expectTypeOf<Extract<UpstreamAddress, { mode: 'naming' }>>().toEqualTypeOf<{
    readonly mode: 'naming';
    readonly path: string;
  }>();
});

it('what needs etcd takes MESH_ETCD as it stands in the environment', () => {
  type Etcd = { readonly etcd: string | undefined };
  expectTypeOf<Etcd>().toExtend<Parameters<typeof registerEtcdResolver>[0]>();
  expectTypeOf<Etcd & { path: string }>().toExtend<Parameters<typeof openNaming>[0]>();
  expectTypeOf<Etcd & { service: string; address: string }>().toExtend<RegisterOptions>();
  expectTypeOf(openNaming).returns.resolves.toEqualTypeOf<Naming>();
  expectTypeOf(register).returns.toEqualTypeOf<Registration>();
});

it('a check may answer at once or later, and nothing else than yes or no', () => {
  type Check = NonNullable<RegisterOptions['health']>['check'];
  expectTypeOf<() => boolean>().toExtend<Check>();
  expectTypeOf<(signal: AbortSignal) => Promise<boolean>>().toExtend<Check>();
  expectTypeOf<() => string>().not.toExtend<Check>();
});
