import type { Definition, DefinitionView } from '../model/definition.js';
import { defineKind, type Report } from '../model/kind.js';
import { hasPrivateKey } from './key-set.js';
import { type RequestAuthenticationSpec, requestAuthenticationSchema } from './request-authentication-shape.js';
import { selectorText } from './workload-shape.js';

type RequestAuthentication = Definition<RequestAuthenticationSpec>;

export const requestAuthenticationKind = defineKind<RequestAuthenticationSpec>({
  kind: 'RequestAuthentication',
  plural: 'requestauthentications',
  aliases: ['ra'],
  apiVersions: ['security.istio.io/v1', 'security.istio.io/v1beta1'],
  namespaced: true,
  summary: "Istio's kind: whose tokens (JWT) an instance takes.",
  schema: requestAuthenticationSchema,
  columns: [
    { header: 'SELECTS', value: (d) => selectorText(d.spec.selector?.matchLabels) },
    { header: 'ISSUERS', value: (d) => d.spec.jwtRules.map(({ issuer, jwksUri }) => issuer ?? jwksUri).join(' ') },
  ],
  check: checkRequestAuthentication,
});

const DRY_RUN = 'istio.io/dry-run';

function checkRequestAuthentication(
  { spec, namespace, document }: RequestAuthentication,
  _view: DefinitionView,
  report: Report,
): void {
  if (document.metadata.annotations?.[DRY_RUN] !== undefined)
    report({
      code: 'MESH1005',
      path: ['metadata', 'annotations', DRY_RUN],
      message: `${DRY_RUN} is for AuthorizationPolicies: a token is checked or it is not`,
      hint: 'remove the annotation',
    });
  if (spec.selector !== undefined && Object.keys(spec.selector.matchLabels).length === 0)
    report({
      code: 'MESH1005',
      severity: 'warning',
      path: ['spec', 'selector'],
      message: `a selector without labels is for all of namespace ${namespace}`,
      hint: 'write matchLabels, or leave selector out',
    });
  for (const [i, { jwks }] of spec.jwtRules.entries()) {
    if (jwks === undefined || !hasPrivateKey(jwks)) continue;
    report({
      code: 'MESH1005',
      severity: 'warning',
      path: ['spec', 'jwtRules', i, 'jwks'],
      message: 'these are private keys: whoever reads this definition can sign tokens',
      hint: 'write the public keys, and make new ones',
    });
  }
}
