import type { List } from '../../model/api.js';
import { MeshError } from '../../runtime/mesh-error.js';

export function listOf<Item>(kind: string, revision: number, items: readonly Item[]): List<Item> {
  return { apiVersion: 'mesh/v1', kind: `${kind}List`, revision, items };
}

/** `a=b,c!=d,e,!f`: labels that must be so, must not be so, must be there, must not be there. */
export function labelSelector(text: string): (labels: Readonly<Record<string, string>>) => boolean {
  const terms = text.split(',').filter((term) => term !== '');
  const tests = terms.map((term) => {
    const [, not = '', key = '', operator = '', value = ''] = /^(!?)([^\s=!]+)(==?|!=)?(\S*)$/.exec(term.trim()) ?? [];
    if (key === '' || (operator === '' && value !== '') || (not !== '' && operator !== '')) {
      throw new MeshError('MESH2007', `"${term}" is not a label selector`, {
        hint: 'write key=value, key!=value, key or !key',
      });
    }
    return (labels: Readonly<Record<string, string>>): boolean => {
      if (operator === '') return (labels[key] !== undefined) === (not === '');
      return operator === '!=' ? labels[key] !== value : labels[key] === value;
    };
  });
  return (labels) => tests.every((test) => test(labels));
}
