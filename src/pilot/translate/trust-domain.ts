/** Principals of AuthorizationPolicies where a mesh has several names (Istio: trustDomain and trustDomainAliases). */

/** In a principal it is the mesh's own trust domain, whatever that is called. */
const OWN = 'cluster.local';
/** TRUST-DOMAIN/ns/NAMESPACE/sa/NAME */
const PARTS = 5;

/** A principal that names one of the mesh's trust domains stands for the same one in all of them. */
export function withAliases(principals: readonly string[] = [], trustDomains: readonly string[]): readonly string[] {
  return principals.flatMap((principal) => {
    const [domain = '', ...rest] = principal.split('/');
    if (rest.length !== PARTS - 1 || domain === '*') return [principal];
    if (domain !== OWN && !trustDomains.some((one) => isLike(one, domain))) return [principal];
    const all = trustDomains.map((one) => (isLike(one, domain) ? principal : [one, ...rest].join('/')));
    return [...new Set(all)];
  });
}

/** `*x` ends so, `x*` begins so. */
function isLike(domain: string, pattern: string): boolean {
  if (pattern.startsWith('*')) return domain.endsWith(pattern.slice(1));
  return pattern.endsWith('*') ? domain.startsWith(pattern.slice(0, -1)) : domain === pattern;
}
