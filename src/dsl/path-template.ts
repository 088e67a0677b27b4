/** Paths with `{*}` for one segment and `{**}` for any number of them, with Istio's rules. */

const ONE = '{*}';
const ANY = '{**}';
/** RFC 3986: pchar, without `*`, which has another meaning here. */
const LITERAL = /^[a-zA-Z0-9\-._~%!$&'()+,;:@=]+$/;

export function isPathTemplate(path: string): boolean {
  return path.includes(ONE) || path.includes(ANY);
}

/** Undefined: it is a template, or a path without any braces. */
export function pathTemplateProblem(path: string): string | undefined {
  const segments = path.replaceAll(/^\/+|\/+$/g, '').split('/');
  if (segments.some((segment) => segment !== ONE && segment !== ANY && /[{}]/.test(segment)))
    return 'braces stand for a whole segment: {*} for one, {**} for any number';
  if (!isPathTemplate(path)) return undefined;
  if (!path.startsWith('/')) return 'a path with {*} or {**} begins with /';
  const any = segments.indexOf(ANY);
  if (any !== -1 && segments.slice(any + 1).some((segment) => segment === ONE || segment === ANY))
    return '{**} is the last of them';
  const odd = segments.find((segment) => segment !== ONE && segment !== ANY && !LITERAL.test(segment));
  return odd === undefined ? undefined : `beside {*} and {**} a segment is literal, and "${odd}" is not`;
}

/** In Envoy's spelling. */
export function envoyTemplate(path: string): string {
  return path.replaceAll(ANY, '**').replaceAll(ONE, '*');
}
