/** Every message of Envoy that is known here: those of the entry list, and all that the entries import. */
import { createRegistry, type DescFile, type DescMessage, type Registry } from '@bufbuild/protobuf';
import { MeshError } from '../runtime/mesh-error.js';
import { entries } from './generated/entries.js';

export const registry: Registry = createRegistry(...withImports(entries));

function withImports(files: readonly DescFile[]): DescFile[] {
  const seen = new Set<DescFile>();
  const add = (file: DescFile): void => {
    if (seen.has(file)) return;
    seen.add(file);
    file.dependencies.forEach(add);
  };
  files.forEach(add);
  return [...seen];
}

export function schemaOf(messageName: string): DescMessage {
  const schema = registry.getMessage(messageName);
  if (!schema) throw new MeshError('MESH2000', `${messageName} is not in envoy-proto-entries.txt`);
  return schema;
}

/** Does the registry know this message? */
export function knowsMessage(messageName: string): boolean {
  return registry.getMessage(messageName) !== undefined;
}

/** Of an Any: the full name of its message is what stands behind the last slash. */
export function schemaOfUrl(typeUrl: unknown): DescMessage | undefined {
  return typeof typeUrl === 'string' ? registry.getMessage(typeUrl.slice(typeUrl.lastIndexOf('/') + 1)) : undefined;
}
