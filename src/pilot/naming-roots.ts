/**
 * Registries that others write, below roots of their own (Mesh.naming.roots). Each has a mirror of its own, since one watch
 * that covers a foreign root as well would carry all that lies in between. What it brings is given on as if it stood
 * below `services/`, where the snapshot knows what to do with it.
 */
import type { MeshSpec } from '../model/mesh.js';
import { namingTarget } from '../model/names.js';
import type { Entry, Mirror, MirrorBatch, Range, Store } from '../store/store.js';

type NamingRoot = MeshSpec['naming']['roots'][number];

export interface NamingRoots {
  /** These are followed from now on; what others have brought is taken back. */
  follow(roots: readonly NamingRoot[]): void;
  /** Resolves when all that are followed now are listed, or followed no more. */
  whenListed(): Promise<void>;
  close(): Promise<void>;
}

export function followNamingRoots(
  store: Pick<Store, 'mirror'>,
  onChange: (changes: Pick<MirrorBatch, 'puts' | 'deletes'>) => void,
): NamingRoots {
  const mirrors = new Map<string, { readonly root: NamingRoot; readonly mirror: Mirror }>();
  let followed: readonly NamingRoot[] = [];
  const open = (key: string, root: NamingRoot): void => {
    const range = rangeOf(root);
    const mirror = store.mirror({
      list: [range],
      watch: [range],
      onChange: ({ puts, deletes }) => {
        if (mirrors.get(key)?.mirror === mirror) onChange({ puts: asOwn(root, puts), deletes: gone(root, deletes) });
      },
    });
    mirrors.set(key, { root, mirror });
  };
  const forget = (key: string, { root, mirror }: { root: NamingRoot; mirror: Mirror }): void => {
    mirrors.delete(key);
    void mirror.close();
    onChange({ puts: [], deletes: gone(root, [...mirror.entries.values()].map(asDeleted)) });
  };
  return {
    follow(roots) {
      if (roots === followed) return;
      followed = roots;
      const wanted = new Map(roots.map((root) => [JSON.stringify([root.path, root.namespace]), root]));
      for (const [key, known] of mirrors) if (!wanted.has(key)) forget(key, known);
      for (const [key, root] of wanted) if (!mirrors.has(key)) open(key, root);
    },
    async whenListed() {
      await Promise.all([...mirrors.values()].map(({ mirror }) => mirror.whenListed.catch(() => {}))); // followed no more
    },
    async close() {
      await Promise.all([...mirrors.values()].map(({ mirror }) => mirror.close()));
    },
  };
}

/** What stands there at a revision of the store, for one request. */
export async function readNamingRoots(
  store: Pick<Store, 'list'>,
  roots: readonly NamingRoot[],
  revision: bigint,
  signal: AbortSignal,
): Promise<readonly Entry[]> {
  const listings = await Promise.all(roots.map((root) => store.list(rangeOf(root), { revision }, signal)));
  return roots.flatMap((root, i) => asOwn(root, listings[i]?.entries ?? []));
}

function rangeOf({ path }: NamingRoot): Range {
  return { prefix: `${path}/` };
}

/** `<root>/<service>/<anything>` becomes `services/<service>/<the key as it was>`; what has another form is none of ours. */
function asOwn({ path, namespace }: NamingRoot, entries: readonly Entry[]): readonly Entry[] {
  return entries.flatMap((entry) => {
    const [service = '', ...id] = entry.key.slice(path.length + 1).split('/');
    if (service === '' || id.join('/') === '') return [];
    return [{ ...entry, key: `${namingTarget(namespace, service)}/${entry.key}` }];
  });
}

function gone(root: NamingRoot, deletes: MirrorBatch['deletes']): MirrorBatch['deletes'] {
  return asOwn(
    root,
    deletes.map(({ previous }) => previous),
  ).map(asDeleted);
}

function asDeleted(previous: Entry): MirrorBatch['deletes'][number] {
  return { key: previous.key, previous };
}
