/** Every way in which a command can end, against a pilot of fixed answers. */
import { describe, expect, it } from 'vitest';
import { Interrupted } from '../../../src/cli/io.js';
import { cli, failure, fakePilot } from '../../support/cli-io.js';

const emptyList = { apiVersion: 'mesh/v1', kind: 'InstanceList', revision: 3, items: [] };
const refused = (): Promise<Response> =>
  Promise.reject(new TypeError('fetch failed', { cause: Object.assign(new Error('x'), { code: 'ECONNREFUSED' }) }));

describe('exit codes', () => {
  it('0 and an answer on stdout when it worked', async () => {
    const { fetch } = fakePilot({ 'GET /v1/instances': emptyList });
    const done = await cli(['ps', '-o', 'json'], { fetch });
    expect(done.exit).toBe(0);
    expect(JSON.parse(done.stdout)).toEqual(emptyList);
  });

  it.each([
    [['nonsense'], /unknown command/],
    [['get'], /missing required argument/],
    [['get', 'servces'], /did you mean "services"\?/],
    [['kinds', '--nope'], /unknown option '--nope'/],
    [['-w', 'kinds'], /has no flag -w, --watch/],
    [['ps', '-o', 'xml'], /has no -o "xml"/],
    [['ps', '--timeout', 'soon'], /not a duration/],
    [['ps', '--server', 'nowhere'], /not a URL/],
    [['ps', '-c', 'nowhere'], /there is no context "nowhere"/],
    [['gray'], /Usage: mesh gray/],
    [['gray', 'shift', 'reviews', '140'], /not a weight/],
    [['apply'], /no input given/],
    [['pilot'], /--store is missing/],
  ])('2 for %j', async (argv, message) => {
    const done = await cli(argv);
    expect(done).toMatchObject({ exit: 2, stdout: '' });
    expect(done.stderr).toMatch(message);
  });

  it('2 with the command to type when a destructive verb has nobody to ask', async () => {
    const change = { kind: 'Route', namespace: 'default', name: 'reviews', action: 'deleted', before: {} };
    const { fetch, asked } = fakePilot({ 'POST /v1/delete': { revision: 4, changes: [change], warnings: [] } });
    const done = await cli(['delete', 'route', 'reviews'], { fetch });
    expect(done.exit).toBe(2);
    expect(done.stderr).toContain('type: mesh delete route reviews -y');
    expect(asked.map(({ body }) => (body as { dryRun?: boolean }).dryRun)).toEqual([true]);
  });

  it('1 when the question is not answered with yes, and nothing is done', async () => {
    const change = { kind: 'Route', namespace: 'default', name: 'reviews', action: 'deleted', before: {} };
    const { fetch, asked } = fakePilot({ 'POST /v1/delete': { revision: 4, changes: [change], warnings: [] } });
    const done = await cli(['delete', 'route', 'reviews'], { fetch, isTTY: true, stdin: 'n\n' });
    expect(done.exit).toBe(1);
    expect(asked).toHaveLength(1);
  });

  it('3 with every problem when the pilot refuses the input', async () => {
    const problems = [
      {
        code: 'MESH1003',
        severity: 'error',
        file: '<stdin>',
        line: 1,
        column: 1,
        path: '',
        message: 'unknown key "a"',
      },
      { code: 'MESH1011', severity: 'error', file: '<stdin>', line: 1, column: 4, path: '', message: 'weight' },
    ];
    const { fetch } = fakePilot({ 'POST /v1/apply': failure(422, 'MESH2015', 'apply: 2 problems', problems) });
    const done = await cli(['apply', '-f', '-'], { fetch, stdin: 'a: 1' });
    expect(done).toMatchObject({ exit: 3, stdout: '' });
    expect(done.stderr).toContain('<stdin>:1:1 MESH1003 unknown key "a"\n  1 | a: 1\n    | ^\n');
    expect(done.stderr).toContain('2 problems, nothing applied. Check offline: mesh validate -f -');
    const json = await cli(['apply', '-f', '-', '-o', 'json'], { fetch, stdin: 'a: 1' });
    expect(JSON.parse(json.stderr)).toEqual({ problems });
  });

  it.each([
    ['MESH2005', 404, 4],
    ['MESH2004', 409, 5],
    ['MESH2001', 503, 6],
    ['MESH2003', 504, 6],
    ['MESH2012', 422, 3],
    ['MESH9999', 500, 1],
  ])('what %s means, whatever the status', async (code, status, exit) => {
    const { fetch } = fakePilot({ 'GET /v1/instances': failure(status, code, 'because') });
    const done = await cli(['ps'], { fetch });
    expect(done.exit).toBe(exit);
    expect(done.stderr).toContain('because');
    const json = await cli(['ps', '-o', 'json'], { fetch });
    expect(JSON.parse(json.stderr)).toMatchObject({ error: { message: 'because' } });
  });

  it('6 with the address when no pilot listens there', async () => {
    const done = await cli(['ps', '--server', 'http://127.0.0.1:9'], { fetch: refused });
    expect(done.exit).toBe(6);
    expect(done.stderr).toContain('MESH2002 no pilot answers at http://127.0.0.1:9 (connection refused)');
  });

  it('6 when the pilot does not answer within --timeout', async () => {
    const silent = (_url: unknown, init?: RequestInit): Promise<Response> =>
      new Promise((_resolve, reject) => {
        init?.signal?.addEventListener('abort', () => reject(init.signal?.reason));
      });
    const done = await cli(['ps', '--timeout', '5ms'], { fetch: silent as typeof fetch });
    expect(done.exit).toBe(6);
    expect(done.stderr).toContain('MESH2003');
  });

  it('10 for differences only where --exit-code asks for it', async () => {
    const change = { kind: 'Route', namespace: 'default', name: 'reviews', action: 'created', after: { a: 1 } };
    const { fetch } = fakePilot({ 'POST /v1/apply': { revision: 4, changes: [change], warnings: [] } });
    expect((await cli(['diff', '-f', '-'], { fetch, stdin: 'a: 1' })).exit).toBe(0);
    const strict = await cli(['diff', '-f', '-', '--exit-code'], { fetch, stdin: 'a: 1' });
    expect(strict.exit).toBe(10);
    expect(strict.stdout).toBe('--- /dev/null\n+++ new Route default/reviews\n@@ -0,0 +1,1 @@\n+a: 1\n');
  });

  it('130 without a word when interrupted', async () => {
    const interrupt = new AbortController();
    interrupt.abort(new Interrupted());
    const { fetch } = fakePilot({ 'GET /v1/instances': emptyList });
    expect(await cli(['ps', '-w', '-q'], { fetch, signal: interrupt.signal })).toMatchObject({ exit: 130, stderr: '' });
  });
});
