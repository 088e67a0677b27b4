import { defineCommand } from '../../command.js';
import { formatTable } from '../../output/table.js';
import { age } from '../../output/time.js';
import { writeOrWatch } from '../../output/watch.js';

export const command = defineCommand({
  examples: [
    { line: 'mesh proxy list', what: 'every sidecar with a stream to a pilot' },
    { line: 'mesh proxy list -o name', what: 'ids only' },
  ],
  takes: ['watch'],
  output: ['table', 'json', 'yaml', 'name'],
  connects: 'api',
  async run(session) {
    const api = await session.api();
    await writeOrWatch(session, async () => {
      const list = await api.proxies();
      const now = session.io.clock.now();
      const rows = list.items.map((item) => [
        item.proxy,
        item.service,
        item.node,
        item.envoy,
        item.connectedTo,
        age(item.since, now),
      ]);
      return {
        value: list,
        names: list.items.map(({ proxy }) => proxy),
        text: formatTable(['PROXY', 'SERVICE', 'NODE', 'ENVOY', 'PILOT', 'CONNECTED'], rows),
      };
    });
  },
});
