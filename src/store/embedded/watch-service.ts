import type { ServerDuplexStream, UntypedServiceImplementation } from '@grpc/grpc-js';
import type { IWatchRequest } from 'etcd3';
import type { Engine } from './engine.js';
import { WatchStream } from './watch-hub.js';

export interface WatchService {
  readonly implementation: UntypedServiceImplementation;
  readonly reportProgress: () => void;
}

export function watchService(engine: Engine): WatchService {
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
  return { implementation: { Watch: handle }, reportProgress };
}
