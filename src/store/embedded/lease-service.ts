import type { ServerDuplexStream, UntypedServiceImplementation } from '@grpc/grpc-js';
import type { ILeaseGrantRequest, ILeaseKeepAliveRequest, ILeaseRevokeRequest, ILeaseTimeToLiveRequest } from 'etcd3';
import type { Clock } from '../../runtime/clock.js';
import type { Engine } from './engine.js';
import { bytesOf } from './kv-range.js';
import { LEASE_COST_BYTES } from './quota.js';
import type { Unary } from './unary.js';

export function leaseService(engine: Engine, unary: Unary, clock: Clock): UntypedServiceImplementation {
  const answer = (response: object): object => ({ header: engine.header, ...response });
  return {
    LeaseGrant: unary((request: ILeaseGrantRequest) => {
      engine.admit(LEASE_COST_BYTES);
      const lease = engine.grant(String(request.ID ?? '0'), Number(request.TTL ?? 0));
      return answer({ ID: lease.id, TTL: lease.ttlSeconds, error: '' });
    }),
    LeaseRevoke: unary((request: ILeaseRevokeRequest) => {
      engine.admit(0);
      engine.revoke(String(request.ID));
      return answer({});
    }),
    LeaseTimeToLive: unary((request: ILeaseTimeToLiveRequest) => {
      const lease = engine.leases.get(String(request.ID));
      if (!lease) return answer({ ID: request.ID, TTL: -1, grantedTTL: 0, keys: [] });
      const TTL = Math.ceil((lease.expiresMs - clock.monotonic()) / 1000);
      const keys = request.keys ? [...lease.keys].sort().map(bytesOf) : [];
      return answer({ ID: lease.id, TTL, grantedTTL: lease.ttlSeconds, keys });
    }),
    LeaseLeases: unary(() => answer({ leases: [...engine.leases.all()].map(({ id }) => ({ ID: id })) })),
    LeaseKeepAlive: (call: ServerDuplexStream<ILeaseKeepAliveRequest, object>) => {
      call.on('data', ({ ID }: ILeaseKeepAliveRequest) => {
        call.write(answer({ ID, TTL: engine.renew(String(ID))?.ttlSeconds ?? 0 }));
      });
      call.on('end', () => call.end());
      call.on('error', () => {}); // the client went away: its stream has ended already
    },
  };
}
