import { describe, expect, it } from 'vitest';
import { Mvcc } from '../../../src/store/embedded/mvcc.js';
import { WatchStream } from '../../../src/store/embedded/watch-hub.js';

interface Answer {
  readonly watch_id: string;
  readonly header: { readonly revision: number };
  readonly events: readonly { readonly type: string; readonly kv: { readonly mod_revision: number } }[];
  readonly created?: boolean;
  readonly canceled?: boolean;
  readonly compact_revision?: number;
  readonly fragment?: boolean;
}

/** A stream whose client takes `room` answers before it is full. */
function watching(room = Number.POSITIVE_INFINITY) {
  const mvcc = new Mvcc();
  const answers: Answer[] = [];
  const source = {
    mvcc,
    visible: mvcc.head,
    header: { cluster_id: '1', member_id: '1', revision: 0, raft_term: 2 },
  };
  const state = { room };
  const stream = new WatchStream(source, (answer) => {
    answers.push(answer as Answer);
    return --state.room > 0;
  });
  const put = (key: string, value = 'x'): void => {
    mvcc.put(key, Buffer.from(value), '0');
    mvcc.commit(0);
  };
  const show = (): void => {
    source.visible = mvcc.head;
    stream.serve();
  };
  const takeMore = (count: number): void => {
    state.room = count;
    stream.drained();
  };
  const revisions = (): number[] => answers.flatMap(({ events }) => events.map(({ kv }) => kv.mod_revision));
  return { mvcc, answers, stream, put, show, takeMore, revisions };
}
const everything = { key: Buffer.from('a'), range_end: Buffer.from('\0') };

describe('a watch', () => {
  it('shows nothing that is not on the disk yet', () => {
    const { stream, put, show, revisions } = watching();
    stream.create(everything);
    put('a');
    stream.serve();
    expect(revisions()).toEqual([]);
    show();
    expect(revisions()).toEqual([2]);
  });

  it('of a client that takes nothing more waits in its place and costs no answers', () => {
    const { stream, put, show, takeMore, answers, revisions } = watching(1);
    stream.create({ ...everything, start_revision: 2 });
    for (let i = 0; i < 5000; i++) put(`a${i % 10}`);
    show();
    expect(answers).toHaveLength(1);
    takeMore(2);
    expect(answers).toHaveLength(3);
    takeMore(Number.POSITIVE_INFINITY);
    expect(revisions()).toEqual(Array.from({ length: 5000 }, (_, i) => i + 2));
    expect(Math.max(...answers.map(({ events }) => events.length))).toBe(1000);
  });

  it('that has fallen behind a compaction is told so and ends', () => {
    const { mvcc, stream, put, show, takeMore, answers } = watching(1);
    stream.create({ ...everything, start_revision: 2 });
    for (let i = 0; i < 10; i++) put('a');
    show();
    mvcc.compact(5);
    takeMore(10);
    expect(answers.at(-1)).toMatchObject({ watch_id: '0', canceled: true, compact_revision: 5, events: [] });
    put('a');
    show();
    expect(answers.at(-1)?.canceled).toBe(true);
  });

  it('gets large answers in fragments only when it asked for that', () => {
    const { stream, put, show, answers } = watching();
    stream.create({ ...everything, start_revision: 2, watch_id: 1 });
    stream.create({ ...everything, start_revision: 2, watch_id: 2, fragment: true });
    for (let i = 0; i < 3; i++) put('a', 'x'.repeat(700_000));
    show();
    const of = (id: string) => answers.filter(({ watch_id, created }) => watch_id === id && !created);
    expect(of('1').map(({ events }) => events.length)).toEqual([2, 1]);
    expect(of('2').map(({ events, fragment }) => [events.length, fragment])).toEqual([
      [1, true],
      [1, false],
      [1, undefined],
    ]);
  });

  it('reports progress when all of the stream has been told, not before', () => {
    const { stream, put, show, takeMore, answers } = watching(2);
    stream.create({ ...everything, start_revision: 2 });
    for (let i = 0; i < 3000; i++) put('a');
    show();
    stream.requestProgress();
    expect(answers.some(({ watch_id }) => watch_id === '-1')).toBe(false);
    takeMore(Number.POSITIVE_INFINITY);
    expect(answers.at(-1)).toMatchObject({ watch_id: '-1', header: { revision: 3001 }, events: [] });
  });
});
