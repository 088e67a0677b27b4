/** etcd's gRPC services on the engine. Methods that are not here are answered with UNIMPLEMENTED by gRPC itself. */
import type { handleUnaryCall, sendUnaryData, ServerDuplexStream, UntypedServiceImplementation } from '@grpc/grpc-js';
import type {
  ICompactionRequest,
  IDeleteRangeRequest,
  ILeaseGrantRequest,
  ILeaseKeepAliveRequest,
  ILeaseRevokeRequest,
  ILeaseTimeToLiveRequest,
  IPutRequest,
  IRangeRequest,
  ITxnRequest,
  IWatchRequest,
} from 'etcd3';
import type { Clock } from '../../runtime/clock.js';
import type { Engine } from './engine.js';
import { EtcdError } from './etcd-error.js';
import { answerRange, bytesOf, checkRange } from './kv-range.js';
import { applyDeleteRange, applyPut, applyTxn, checkDeleteRange, checkPut, decideTxn } from './kv-txn.js';
import { bytesOfRequest } from './protos.js';
import { WatchStream } from './watch-hub.js';

const MAX_REQUEST_BYTES = 1.5 * 1024 * 1024;
/** Clients show it; ours speaks what etcd 3.4 speaks. */
const VERSION = '3.4.0+lightmesh';

export interface Implementations {
  readonly KV: UntypedServiceImplementation;
  readonly Watch: UntypedServiceImplementation;
  readonly Lease: UntypedServiceImplementation;
  readonly Maintenance: UntypedServiceImplementation;
  readonly Cluster: UntypedServiceImplementation;
}

export interface Services {
  readonly implementations: Implementations;
  reportProgress(): void;
}

export function servicesOf(engine: Engine, clock: Clock, address: () => string): Services {
  const unary = unaryOver(engine);
  const header = () => engine.header;
  const watch = watchOver(engine);
  return {
    reportProgress: watch.reportProgress,
    implementations: {
      KV: {
        Range: unary((request: IRangeRequest) => {
          checkRange(engine.mvcc, request);
          return { header: header(), ...answerRange(engine.mvcc, request) };
        }),
        Put: unary((request: IPutRequest) => {
          checkPut(engine, request);
          const response = engine.change(() => applyPut(engine, request));
          return { header: header(), ...response };
        }),
        DeleteRange: unary((request: IDeleteRangeRequest) => {
          checkDeleteRange(request);
          const response = engine.change(() => applyDeleteRange(engine, request));
          return { header: header(), ...response };
        }),
        Txn: unary((request: ITxnRequest) => {
          const decided = decideTxn(engine, request);
          const response = engine.change(() => applyTxn(engine, decided, header));
          return { ...response, header: header() };
        }),
        Compact: unary((request: ICompactionRequest) => {
          engine.compact(Number(request.revision ?? 0));
          return { header: header() };
        }),
      },
      Watch: { Watch: watch.handle },
      Lease: {
        LeaseGrant: unary((request: ILeaseGrantRequest) => {
          const lease = engine.grant(String(request.ID ?? '0'), Number(request.TTL ?? 0));
          return { header: header(), ID: lease.id, TTL: lease.ttlSeconds, error: '' };
        }),
        LeaseRevoke: unary((request: ILeaseRevokeRequest) => {
          engine.revoke(String(request.ID));
          return { header: header() };
        }),
        LeaseKeepAlive: keepAliveOver(engine),
        LeaseTimeToLive: unary((request: ILeaseTimeToLiveRequest) => {
          const lease = engine.leases.get(String(request.ID));
          if (!lease) return { header: header(), ID: request.ID, TTL: -1, grantedTTL: 0, keys: [] };
          const TTL = Math.ceil((lease.expiresMs - clock.monotonic()) / 1000);
          const keys = request.keys ? [...lease.keys].sort().map(bytesOf) : [];
          return { header: header(), ID: lease.id, TTL, grantedTTL: lease.ttlSeconds, keys };
        }),
        LeaseLeases: unary(() => ({
          header: header(),
          leases: [...engine.leases.all()].map(({ id }) => ({ ID: id })),
        })),
      },
      Maintenance: {
        Status: unary(() => ({
          header: header(),
          version: VERSION,
          dbSize: engine.journalBytes,
          dbSizeInUse: engine.mvcc.bytes,
          leader: header().member_id,
          raftIndex: engine.mvcc.head,
          raftAppliedIndex: engine.mvcc.head,
          raftTerm: header().raft_term,
          errors: [],
        })),
        Alarm: unary(() => ({ header: header(), alarms: [] })),
        Defragment: (_call: object, callback: sendUnaryData<object>) => {
          engine.rewriteJournal().then(
            () => callback(null, { header: header() }),
            () => callback(new EtcdError('stopped')),
          );
        },
      },
      Cluster: {
        MemberList: unary(() => {
          const member = {
            ID: header().member_id,
            name: 'embedded',
            peerURLs: [],
            clientURLs: [`http://${address()}`],
          };
          return { header: header(), members: [member] };
        }),
      },
    },
  };
}

/** Changes are made at once, one request after the other; the answer waits until the disk has them. Reads wait likewise. */
function unaryOver(engine: Engine) {
  return <Request extends object>(handle: (request: Request) => object): handleUnaryCall<Request, object> => {
    return ({ request }, callback) => {
      let response: object;
      try {
        if (bytesOfRequest(request) > MAX_REQUEST_BYTES) throw new EtcdError('requestTooLarge');
        response = handle(request);
      } catch (error) {
        callback(error instanceof EtcdError ? error : Object.assign(new Error(String(error)), { code: 13 }));
        return;
      }
      const durable = engine.durable();
      if (!durable) return callback(null, response);
      durable.then(
        () => callback(null, response),
        () => callback(new EtcdError('stopped')),
      );
    };
  };
}

type KeepAliveCall = ServerDuplexStream<ILeaseKeepAliveRequest, object>;

function keepAliveOver(engine: Engine) {
  return (call: KeepAliveCall): void => {
    call.on('data', ({ ID }: ILeaseKeepAliveRequest) => {
      const lease = engine.renew(String(ID));
      call.write({ header: engine.header, ID, TTL: lease?.ttlSeconds ?? 0 });
    });
    call.on('end', () => call.end());
    call.on('error', () => {}); // the client went away: its stream has ended already
  };
}

function watchOver(engine: Engine) {
  const streams = new Set<WatchStream>();
  let visible = engine.mvcc.head;
  const source = {
    mvcc: engine.mvcc,
    get header() {
      return engine.header;
    },
    get visible() {
      return visible;
    },
  };
  engine.onRevision((revision) => {
    visible = revision;
    for (const stream of streams) stream.serve();
  });
  const handle = (call: ServerDuplexStream<IWatchRequest, object>): void => {
    const stream = new WatchStream(source, (answer) => call.write(answer));
    streams.add(stream);
    call.on('data', (request: IWatchRequest) => {
      if (request.create_request) stream.create(request.create_request);
      else if (request.cancel_request) stream.cancel(String(request.cancel_request.watch_id));
      else if (request.progress_request) stream.requestProgress();
    });
    call.on('drain', () => stream.drained());
    const leave = (): void => {
      streams.delete(stream);
    };
    call.on('end', () => {
      leave();
      call.end();
    });
    call.on('cancelled', leave);
    call.on('error', leave);
  };
  const reportProgress = (): void => {
    for (const stream of streams) stream.reportProgress();
  };
  return { handle, reportProgress };
}
