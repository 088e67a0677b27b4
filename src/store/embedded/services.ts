/** etcd's gRPC services on the engine. Methods that are not here are answered with UNIMPLEMENTED by gRPC itself. */
import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import type { Clock } from '../../runtime/clock.js';
import type { Engine } from './engine.js';
import { kvService } from './kv-service.js';
import { leaseService } from './lease-service.js';
import { maintenanceService } from './maintenance-service.js';
import type { EtcdServices } from './protos.js';
import { type Unary, unaryOver } from './unary.js';
import { watchService } from './watch-service.js';

export interface Services {
  readonly implementations: Readonly<Record<keyof EtcdServices, UntypedServiceImplementation>>;
  /** To watchers who asked for it: see etcd's progress_notify. */
  readonly reportProgress: () => void;
}

export function servicesOf(engine: Engine, clock: Clock, address: () => string): Services {
  const unary = unaryOver(engine);
  const watch = watchService(engine);
  return {
    implementations: {
      KV: kvService(engine, unary),
      Watch: watch.implementation,
      Lease: leaseService(engine, unary, clock),
      Maintenance: maintenanceService(engine, unary),
      Cluster: clusterService(engine, unary, address),
    },
    reportProgress: watch.reportProgress,
  };
}

/** Clients that ask for the members go on with the addresses they get. */
function clusterService(engine: Engine, unary: Unary, address: () => string): UntypedServiceImplementation {
  return {
    MemberList: unary(() => {
      const { member_id: ID } = engine.header;
      const member = { ID, name: 'embedded', peerURLs: [], clientURLs: [`http://${address()}`] };
      return { header: engine.header, members: [member] };
    }),
  };
}
