/** `mesh ps` and `mesh get instances`: the same list. */
import type { InstanceQuery } from './api-client.js';
import { instanceTable } from './instance-table.js';
import { writeOrWatch } from './output/watch.js';
import type { Session } from './session.js';

export interface InstanceChoice {
  readonly service?: string | undefined;
  readonly node?: string | undefined;
  /** Instance ids; all without. */
  readonly names?: readonly string[];
}

export async function listInstances(session: Session, { service, node, names = [] }: InstanceChoice): Promise<void> {
  const { settings } = session;
  const api = await session.api();
  const namespace = settings.allNamespaces ? 'all' : settings.namespace;
  const query: InstanceQuery = { service, namespace, node };
  await writeOrWatch(session, async () => {
    const all = await api.instances(query);
    const items = all.items.filter(({ instance }) => names.length === 0 || names.includes(instance));
    if (items.length === 0) session.say('No instance. `mesh plan` shows what a deploy would start.');
    return {
      value: { ...all, items },
      names: items.map(({ instance }) => instance),
      text: items.length === 0 ? '' : instanceTable(items, settings.output === 'wide', session),
    };
  });
}
