/** A request as far as routing looks at it. */
export interface MeshRequest {
  /** The authority, with a port or without. */
  readonly host: string;
  /** With the query; it begins with a slash and has no `#`: Envoy answers 400 to others. */
  readonly path: string;
  readonly method: string;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  readonly scheme: string;
}

export function requestOf(given: Partial<MeshRequest> & Pick<MeshRequest, 'host'>): MeshRequest {
  const { host, path = '/', method = 'GET', headers = {}, scheme = 'http' } = given;
  const named = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
  return { host, method, scheme, path: normalPath(path), headers: Object.fromEntries(named) as Record<string, string> };
}

export const pathOnly = (path: string): string => path.split('?')[0] as string;

/** By Envoy's own reading: cut at & and =, nothing decoded; the first of a name counts. */
export function queryOf(path: string): ReadonlyMap<string, string> {
  const query = path.split('?').slice(1).join('?');
  const found = new Map<string, string>();
  for (const part of query === '' ? [] : query.split('&')) {
    const at = part.indexOf('=');
    const name = at < 0 ? part : part.slice(0, at);
    if (!found.has(name)) found.set(name, at < 0 ? '' : part.slice(at + 1));
  }
  return found;
}

/** As `normalize_path` of the listener does it: dots are followed, what needs no escape is not escaped. */
function normalPath(path: string): string {
  const bare = pathOnly(path);
  const segments: string[] = [];
  const parts = bare
    .replaceAll('\\', '/')
    .replaceAll(/%[0-9A-Fa-f]{2}/g, unescaped)
    .split('/')
    .slice(1);
  for (const [i, part] of parts.entries()) {
    const isLast = i === parts.length - 1;
    if (part === '..') segments.pop();
    if (part !== '.' && part !== '..') segments.push(part);
    else if (isLast) segments.push('');
  }
  return `/${segments.join('/')}${path.slice(bare.length)}`;
}

function unescaped(escaped: string): string {
  const char = String.fromCharCode(Number.parseInt(escaped.slice(1), 16));
  return /[A-Za-z0-9._~-]/.test(char) ? char : escaped;
}
