/** The last good configurations of all nodes whose files are in a data directory: served before there is a store. */
import { type LastGood, type LastGoodOptions, nodesIn, serveLastGood } from '../agent/agent.js';

export interface LastGoods {
  all(): readonly LastGood[];
  /** Opens that of a node that is new here. */
  of(node: string): Promise<LastGood>;
  close(): Promise<void>;
}

export async function openLastGoods(options: Omit<LastGoodOptions, 'node'>): Promise<LastGoods> {
  const open = new Map<string, LastGood>();
  const of = async (node: string): Promise<LastGood> => {
    const lastGood = open.get(node) ?? (await serveLastGood({ ...options, node }));
    open.set(node, lastGood);
    return lastGood;
  };
  for (const node of await nodesIn(options.dataDir)) await of(node);
  return {
    all: () => [...open.values()],
    of,
    async close() {
      await Promise.all([...open.values()].map((lastGood) => lastGood.close()));
    },
  };
}
