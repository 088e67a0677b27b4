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

/** Watchers of Go clients freeze for good when their position is compacted: never near the head. */
const MIN_KEEP = 1000;
const DEFAULT_KEEP = 10_000;

export const command = defineCommand<Options>({
  details:
    'The store keeps every change of the past until it is compacted. The embedded store does that by itself (an hour or ten thousand revisions stay); etcd does when it was started with --auto-compaction-retention. --defrag also gives the freed space back to the disk, one member after the other, and ends a NOSPACE alarm when there is room again.',
  examples: [
    { line: 'mesh store compact', what: `keep the last ${DEFAULT_KEEP} revisions` },
    { line: 'mesh store compact --keep 1000 --defrag', what: 'when the space is used up (NOSPACE)' },
  ],
  options: [
    {
      flags: '--keep <revisions>',
      description: `how many of the newest stay, at least ${MIN_KEEP}`,
      defaultValue: String(DEFAULT_KEEP),
    },
    { flags: '--defrag', description: 'give the space back; a member answers nobody while it does' },
  ],
  output: ['table', 'json', 'yaml'],
  connects: 'store',
  async run(session, _args, options) {
    const keep = parseKeep(options.keep);
    const { io } = session;
    const result = await withOperatorStore(session, async (store) => {
      const { admin, keys } = store;
      const before = await admin.members();
      const target = (await store.head()) - BigInt(keep);
      const compacted = await admin.compactedRevision();
      const isOlder = target > compacted;
      if (isOlder) await admin.compact(target);
      for (const { address, failure } of options.defrag === true ? before : [])
        if (failure === undefined) await admin.defragment(address);
      const hadAlarm = (await admin.alarms()).length > 0;
      if (options.defrag === true && hadAlarm) await admin.disarm();
      const after = await admin.members();
      // A store that is out of space takes no note of it.
      if (isOlder && (await admin.alarms()).length === 0) {
        const value: Compaction = {
          at: io.clock.now(),
          by: session.author(undefined).by,
          storeRevision: String(target),
        };
        await store.transact({
          compare: [],
          put: [{ key: keys.metaCompaction, value: JSON.stringify(value) }],
          delete: [],
        });
      }
      return { compacted: String(isOlder ? target : compacted), isOlder, hadAlarm, before, after };
    });
    const { isOlder, hadAlarm } = result;
    const forgotten = isOlder
      ? `forgot the history up to store revision ${result.compacted}`
      : `nothing to forget: no more than ${keep} revisions are kept since ${result.compacted}`;
    const lines = [
      forgotten,
      ...result.after.map((member, i) => sizeLine(result.before[i], member)),
      ...(hadAlarm
        ? [options.defrag === true ? 'alarm ended: it comes back if there is no room' : 'an alarm stands: add --defrag']
        : []),
    ];
    await writeAnswer(session, {
      value: {
        apiVersion: 'mesh/v1',
        kind: 'StoreCompaction',
        compactedRevision: result.compacted,
        members: result.after.map(({ address, bytes, bytesInUse }, i) => {
          return { address, bytesBefore: result.before[i]?.bytes ?? 0, bytes, bytesInUse };
        }),
      },
      text: lines.map((line) => `${line}\n`).join(''),
    });
  },
});

function sizeLine(before: Member | undefined, after: Member): string {
  if (after.failure !== undefined) return `${after.address}: no answer (${after.failure})`;
  const sizes = `${formatBytes(before?.bytes ?? 0)} before, now ${formatBytes(after.bytes)} on disk`;
  return `${after.address}: ${sizes}, ${formatBytes(after.bytesInUse)} in use`;
}

function parseKeep(text: string): number {
  const keep = Number(text);
  if (Number.isInteger(keep) && keep >= MIN_KEEP) return keep;
  throw new MeshError('MESH2007', `--keep ${text}: at least ${MIN_KEEP} revisions must stay`, {
    hint: 'clients that come back after a short break resume their watches there',
  });
}
