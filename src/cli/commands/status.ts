import type { StatusResponse } from '../../model/api.js';
import { defineCommand } from '../command.js';
import { nodeTable } from '../node-table.js';
import type { Answer } from '../output/answer.js';
import { formatEviction } from '../output/eviction.js';
import { formatGrayLine } from '../output/gray-status.js';
import { formatPairs, formatTable } from '../output/table.js';
import { writeOrWatch } from '../output/watch.js';
import type { Session } from '../session.js';

export const command = defineCommand({
  examples: [
    { line: 'mesh status', what: 'is everything well?' },
    { line: 'mesh status -w', what: 'and stay' },
    { line: 'mesh status -o json', what: 'for scripts' },
  ],
  takes: ['watch'],
  output: ['table', 'wide', 'json', 'yaml'],
  connects: 'api',
  async run(session) {
    const api = await session.api();
    await writeOrWatch(session, async () => statusAnswer(session, await api.status()));
  },
});

function statusAnswer(session: Session, status: StatusResponse): Answer {
  const blocks = [overview(session, status)];
  const guard = formatEviction(status.eviction, session);
  if (guard !== '') blocks.push(guard);
  if (status.nodes.length > 0) {
    blocks.push(nodeTable(status.nodes, session.settings.output === 'wide', session.style));
  }
  if (status.services.length > 0) blocks.push(serviceTable(status, session));
  if (status.releases.length > 0) {
    blocks.push(status.releases.map((release) => `${formatGrayLine(release, session.style)}\n`).join(''));
  }
  if (status.refused.length > 0) blocks.push(refusedText(status.refused, session));
  if (status.findings.length > 0) blocks.push(findingsText(status.findings, session));
  return { value: { apiVersion: 'mesh/v1', kind: 'Status', ...status }, text: blocks.join('\n') };
}

function overview({ style }: Session, status: StatusResponse): string {
  const { store, proxies, pilots, trustedNetworks } = status;
  const storeWord = store.synced ? style.tone('good', 'in sync') : style.tone('bad', 'not in sync');
  const nacked = proxies.nacked > 0 ? `, ${style.tone('bad', `${proxies.nacked} refused (mesh proxy status)`)}` : '';
  return formatPairs([
    ['revision', String(status.revision)],
    ['store', `${store.description}, ${storeWord}`],
    ...pilots.map((pilot) => ['pilot', `${pilot.id}: API ${pilot.http}, xDS ${pilot.xds}, ${pilot.version}`] as const),
    ['leader', status.eviction.leader ?? style.tone('warn', 'none: nobody is removed, however long it is missing')],
    ['proxies', `${proxies.connected} connected, ${proxies.synced} in sync${nacked}`],
    ...(trustedNetworks.length === 0 ? [] : [['plain text', `accepted from ${trustedNetworks.join(', ')}`] as const]),
  ]);
}

function refusedText(refused: StatusResponse['refused'], { style }: Session): string {
  const lines = refused.map(({ kind, name, message }) => `  ${kind} ${name}: ${message}\n`);
  return `${style.tone('bad', 'refused by Envoy')}, so what was before stays in effect until it is corrected:\n${lines.join('')}`;
}

/** Keys are anybody's text: as JSON, no terminal obeys them. */
function findingsText(findings: StatusResponse['findings'], { style }: Session): string {
  const lines = findings.map(({ key, message }) => `  ${JSON.stringify(key)}: ${message}\n`);
  return `${style.tone('warn', 'not usable')}, so left out until its writer corrects or deletes it:\n${lines.join('')}`;
}

function serviceTable({ services }: StatusResponse, { style }: Session): string {
  const rows = services.map((service) => [
    service.namespace,
    service.name,
    service.ports,
    service.stable || '-',
    service.versions
      .map(({ version, healthy, total }) => {
        const text = `${version || '(no version)'} ${healthy}/${total}`;
        return healthy < total ? style.tone('warn', text) : text;
      })
      .join(', ') || '-',
  ]);
  return formatTable(['NAMESPACE', 'SERVICE', 'PORTS', 'STABLE', 'HEALTHY'], rows);
}
