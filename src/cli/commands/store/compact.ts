import { MeshError } from '../../../runtime/mesh-error.js';
import type { Member } from '../../../store/admin.js';
import type { Compaction } from '../../../store/report.js';
import { defineCommand } from '../../command.js';
import { withOperatorStore } from '../../operator-store.js';
import { writeAnswer } from '../../output/answer.js';
import { formatBytes } from '../../output/bytes.js';

interface Options {
  readonly keep: string;
  readonly defrag?: boolean;
}

/** Watchers of Go clients freeze for good when their position is compacted away: never near the head … */
const MIN_KEEP = 1000;
/** … unless nothing can be written any more, which is worse. */
const MIN_KEEP_NOSPACE = 10;
const DEFAULT_KEEP = 10_000;
/** Less is not worth the end of an alarm: it would come back with the next few writes. */
const WORTH_FREEING = 0.1;

export const command = defineCommand<Options>({
  details:
    'The store keeps every change of the past until it is compacted. The embedded store does that by itself (an hour or ten thousand revisions stay); etcd does when it was started with --auto-compaction-retention. --defrag also gives the freed space back to the disk, one member after the other, and ends a NOSPACE alarm when that has made room; exit code 8 when it has not.',
  examples: [
    { line: 'mesh store compact', what: `keep the last ${DEFAULT_KEEP} revisions` },
    { line: 'mesh store compact --keep 10 --defrag', what: 'when the space is used up (NOSPACE)' },
  ],
  options: [
    {
      flags: '--keep <revisions>',
      description: `how many of the newest stay, at least ${MIN_KEEP}; ${MIN_KEEP_NOSPACE} while NOSPACE stands`,
      defaultValue: String(DEFAULT_KEEP),
    },
    { flags: '--defrag', description: 'give the space back; a member answers nobody while it does' },
  ],
  output: ['table', 'json', 'yaml'],
  connects: 'store',
  async run(session, _args, options) {
    const { io } = session;
    const author = session.author(undefined).by;
    const done = await withOperatorStore(session, async (store): Promise<Done> => {
      const { admin, keys } = store;
      const before = await admin.members();
      const hadAlarm = (await admin.alarms()).length > 0;
      const keep = parseKeep(options.keep, hadAlarm ? MIN_KEEP_NOSPACE : MIN_KEEP);
      const target = (await store.head()) - BigInt(keep);
      const compacted = await admin.compactedRevision();
      const isForgotten = target > compacted;
      if (isForgotten) await admin.compact(target);
      for (const { address, failure } of options.defrag === true ? before : [])
        if (failure === undefined) await admin.defragment(address);
      const after = await admin.members();
      const isDisarmed = hadAlarm && hasFreed(before, after);
      if (isDisarmed) await admin.disarm();
      const value: Compaction = { at: io.clock.now(), by: author, storeRevision: String(target) };
      const put = [{ key: keys.metaCompaction, value: JSON.stringify(value) }];
      // A store that is out of space takes no note of it.
      if (isForgotten && hadAlarm === isDisarmed) await store.transact({ compare: [], put, delete: [] });
      return { compacted: isForgotten ? target : compacted, keep, isForgotten, hadAlarm, isDisarmed, before, after };
    });
    await writeAnswer(session, {
      value: {
        apiVersion: 'mesh/v1',
        kind: 'StoreCompaction',
        compactedRevision: String(done.compacted),
        alarm: done.hadAlarm && !done.isDisarmed,
        members: done.after.map(({ address, bytes, bytesInUse }, i) => {
          return { address, bytesBefore: done.before[i]?.bytes ?? 0, bytes, bytesInUse };
        }),
      },
      text: linesOf(done, options.defrag === true)
        .map((line) => `${line}\n`)
        .join(''),
    });
    return done.hadAlarm && !done.isDisarmed ? 8 : 0;
  },
});

interface Done {
  readonly compacted: bigint;
  readonly keep: number;
  readonly isForgotten: boolean;
  readonly hadAlarm: boolean;
  readonly isDisarmed: boolean;
  readonly before: readonly Member[];
  readonly after: readonly Member[];
}

function linesOf(done: Done, isDefragmented: boolean): string[] {
  const { compacted, keep, isForgotten, hadAlarm, isDisarmed, before, after } = done;
  const forgotten = isForgotten
    ? `forgot the history up to store revision ${compacted}`
    : `nothing to forget: there are no more than ${keep} revisions since ${compacted}`;
  const wayOut = isDefragmented
    ? `too little was freed, the alarm stands: forget more with --keep ${MIN_KEEP_NOSPACE}, or start etcd with a larger --quota-backend-bytes`
    : 'the alarm stands: add --defrag to give the space back and end it';
  const alarm = isDisarmed ? 'the alarm is ended: writes are taken again' : wayOut;
  return [forgotten, ...after.map((member, i) => sizeLine(before[i], member)), ...(hadAlarm ? [alarm] : [])];
}

/** On every member that answers: the alarm is the cluster's. */
function hasFreed(before: readonly Member[], after: readonly Member[]): boolean {
  return after.every((member, i) => {
    return member.failure !== undefined || member.bytes <= (1 - WORTH_FREEING) * (before[i]?.bytes ?? 0);
  });
}

function sizeLine(before: Member | undefined, after: Member): string {
  if (after.failure !== undefined) return `${after.address}: no answer (${after.failure})`;
  const sizes = `${formatBytes(before?.bytes ?? 0)} before, now ${formatBytes(after.bytes)} on disk`;
  return `${after.address}: ${sizes}, ${formatBytes(after.bytesInUse)} in use`;
}

function parseKeep(text: string, min: number): number {
  const keep = Number(text);
  if (Number.isInteger(keep) && keep >= min) return keep;
  throw new MeshError('MESH2007', `--keep ${text}: at least ${min} revisions must stay`, {
    hint: 'clients that come back after a short break resume their watches there',
  });
}
