/** Files that must be there as a whole, or not at all. */
import { open, rename, rm, stat } from 'node:fs/promises';
import { MeshError, messageOf } from '../runtime/mesh-error.js';

/** Safe on the disk when it resolves, readable by its owner only. MESH2052 when there is one already. */
export async function writeNewFile(path: string, text: string, options: { readonly replace: boolean }): Promise<void> {
  const isThere = await stat(path).then(
    () => true,
    () => false,
  );
  if (isThere && !options.replace) {
    throw new MeshError('MESH2052', `${path} exists already`, { hint: 'Choose another name, or give --replace.' });
  }
  const next = `${path}.new`;
  try {
    const file = await open(next, 'w', 0o600);
    try {
      await file.chmod(0o600);
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(next, path);
  } catch (error) {
    await rm(next, { force: true });
    throw new MeshError('MESH2007', `could not write ${path}: ${messageOf(error)}`, {
      cause: error,
      hint: 'Choose a place that can be written.',
    });
  }
}
