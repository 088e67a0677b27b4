import { MeshError } from '../runtime/mesh-error.js';

/** `a=b,c=d`: all of them must hold. */
export function parseSelector(text: string): Readonly<Record<string, string>> {
  const pairs = text.split(',').map((part) => {
    const match = /^([^=\s]+)=([^=\s]*)$/.exec(part.trim());
    if (match === null) {
      throw new MeshError('MESH2007', `"${part}" in -l is no label`, { hint: 'write KEY=VALUE, several with commas' });
    }
    return [match[1] as string, match[2] as string] as const;
  });
  return Object.fromEntries(pairs);
}
