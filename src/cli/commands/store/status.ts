import { type StoreReport, storeReport } from '../../../store/report.js';
import { defineCommand } from '../../command.js';
import { withOperatorStore } from '../../operator-store.js';
import { writeAnswer } from '../../output/answer.js';
import { formatBar, formatBytes } from '../../output/bytes.js';
import { formatPairs, formatTable } from '../../output/table.js';
import { age, timestamp } from '../../output/time.js';
import type { Session } from '../../session.js';

const BAR_WIDTH = 20;

export const command = defineCommand({
  details:
    'Exit code 8 when something needs an operator: a member that does not answer, an alarm, an unfinished copy, or pilots that are frozen because the store has lost what they serve.',
  examples: [
    { line: 'mesh store status', what: 'of the mesh of this machine' },
    { line: 'mesh store status --store etcd://10.0.0.4:2379,10.0.0.5:2379', what: 'of a cluster, without a pilot' },
    { line: 'mesh store status --store embedded:DIR -o json', what: 'for scripts' },
  ],
  output: ['table', 'json', 'yaml'],
  connects: 'store',
  async run(session) {
    const report = await withOperatorStore(session, storeReport);
    await writeAnswer(session, {
      value: { apiVersion: 'mesh/v1', kind: 'StoreStatus', ...report },
      text: [overview(session, report), memberTable(session, report), keyTable(report)].join('\n'),
    });
    return report.needs.length > 0 ? 8 : 0;
  },
});

function overview({ style, io }: Session, report: StoreReport): string {
  const { epoch, history, pilots } = report;
  const now = io.clock.now();
  const made = epoch === null ? 'none' : `${epoch.id}, ${epoch.made === 'first' ? 'made' : `made by ${epoch.made}`}`;
  const by = epoch === null || epoch.by === '' ? '' : ` by ${epoch.by}${epoch.why === '' ? '' : ` (${epoch.why})`}`;
  const compacted =
    history.compactedRevision === '0' ? 'never compacted' : `compacted up to revision ${history.compactedRevision}`;
  const last = history.lastCompaction;
  return formatPairs([
    ['store', `${report.type}, keys below ${report.prefix}`],
    ['mesh revision', String(report.revision)],
    ['store revision', report.storeRevision],
    ['epoch', `${made}${epoch === null || epoch.at === 0 ? '' : ` at ${timestamp(epoch.at)}`}${by}`],
    [
      'history',
      `${history.revisions} revisions, ${compacted}${last === null ? '' : `, last by hand ${age(last.at, now)} ago (${last.by})`}`,
    ],
    ['pilots', pilots.length === 0 ? 'none' : pilots.join(', ')],
    ...report.needs.map((need) => [style.tone('bad', 'needs you'), need] as const),
  ]);
}

function memberTable({ style }: Session, { members }: StoreReport): string {
  const rows = members.map((member) => {
    if (member.failure !== null) return [member.address, style.tone('bad', 'no answer'), '-', '-', member.failure];
    const share = member.bytes === 0 ? 0 : member.bytesInUse / member.bytes;
    const bar = formatBar(share, BAR_WIDTH, style.unicode);
    const size = `${bar} ${formatBytes(member.bytesInUse)} in use of ${formatBytes(member.bytes)} on disk`;
    return [
      member.address,
      member.isLeader ? style.tone('good', 'leader') : 'follower',
      member.version,
      member.storeRevision,
      size,
    ];
  });
  return formatTable(['MEMBER', 'ROLE', 'VERSION', 'REVISION', 'SIZE'], rows);
}

function keyTable({ keys }: StoreReport): string {
  const rows = keys.map(({ kind, count, leased, bytes }) => [
    kind,
    String(count),
    leased === 0 ? '-' : String(leased),
    formatBytes(bytes),
  ]);
  return rows.length === 0 ? '' : formatTable(['KEYS OF', 'COUNT', 'LEASED', 'SIZE'], rows);
}
