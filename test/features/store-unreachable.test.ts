import { createServer, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/runtime/clock.js';
import { silentLogger } from '../../src/runtime/logger.js';
import { openStore } from '../../src/store/open-store.js';
import { startFaultProxy } from '../support/fault-proxy.js';
import { freePort } from '../support/mesh-process.js';
import { openAt, startEmbeddedServer } from '../support/stores.js';

describe('a store that does not answer', () => {
  let silent: Server | undefined;
  afterEach(() => silent?.close());

  const listenSilently = (): Promise<string> =>
    new Promise((resolve) => {
      const server = createServer(() => {});
      silent = server;
      server.listen(0, '127.0.0.1', () => resolve(`127.0.0.1:${(server.address() as { port: number }).port}`));
    });
  const open = async (url: string, timeoutMs: number): Promise<{ error: unknown; tookMs: number }> => {
    const startMs = performance.now();
    const error: unknown = await openStore(url, { clock: systemClock, log: silentLogger, timeoutMs }).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    return { error, tookMs: performance.now() - startMs };
  };

  it('is named with its address, at once when it refuses the connection', async () => {
    const address = `127.0.0.1:${await freePort()}`;
    const { error, tookMs } = await open(`etcd://${address}`, 5000);
    expect(error).toMatchObject({ code: 'MESH2001', retryable: true });
    expect(String(error)).toContain(`${address} (connect ECONNREFUSED`);
    expect(tookMs).toBeLessThan(3000);
  });

  it('is named within the timeout when it takes the connection and says nothing', async () => {
    const address = await listenSilently();
    const { error, tookMs } = await open(`etcd://${address}`, 700);
    expect(error).toMatchObject({ code: 'MESH2001' });
    expect(String(error)).toContain(`${address} (no answer in time)`);
    expect(tookMs).toBeLessThan(2000);
  });

  it('is passed over when another endpoint of the list answers', async () => {
    const server = await startEmbeddedServer();
    const url = `etcd://${await listenSilently()},127.0.0.1:${await freePort()},${server.address}`;
    const store = await openStore(url, { clock: systemClock, log: silentLogger, timeoutMs: 3000 });
    expect(await store.head()).toBeGreaterThan(0n);
    await store.close();
    await server.stop();
  });

  it('says of a write whether it may have been done', async () => {
    const server = await startEmbeddedServer();
    const proxy = await startFaultProxy(server.address);
    const store = await openAt(proxy.address, 'test/', 600);
    const write = (): Promise<unknown> =>
      store.transact({ compare: [], put: [{ key: store.keys.plan('a'), value: '1' }], delete: [] });
    await write();
    proxy.blackHole();
    await expect(write()).rejects.toThrow(/could not write test\/plan\/a.*it may have been written all the same/);
    await server.stop();
    await proxy.close();
    const refused = await write().then(String, String);
    expect(refused).toContain('connect ECONNREFUSED');
    expect(refused).not.toContain('all the same');
    await store.close();
  });

  it('gives the caller back at once when the caller gives up', async () => {
    const server = await startEmbeddedServer();
    const proxy = await startFaultProxy(server.address);
    const store = await openAt(proxy.address, 'test/');
    proxy.blackHole();
    const gaveUp = new AbortController();
    const read = store.head(gaveUp.signal);
    gaveUp.abort(new Error('gave up'));
    await expect(read).rejects.toThrow('gave up');
    await store.close();
    await proxy.close();
    await server.stop();
  });
});
