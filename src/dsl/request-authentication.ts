import type { Definition, DefinitionView } from '../model/definition.js';
import { defineKind, type Report } from '../model/kind.js';
import { DRY_RUN } from './authorization-policy.js';
import { hasPrivateKey } from './key-set.js';
import { type RequestAuthenticationSpec, requestAuthenticationSchema } from './request-authentication-shape.js';
import { warnOfEmptySelector } from './selector.js';
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

function checkRequestAuthentication(definition: RequestAuthentication, _view: DefinitionView, report: Report): void {
  const { spec, document } = definition;
  if (document.metadata.annotations?.[DRY_RUN] !== undefined)
    report({
      code: 'MESH1005',
      path: ['metadata', 'annotations', DRY_RUN],
      message: `${DRY_RUN} is for AuthorizationPolicies: a token is checked or it is not`,
      hint: 'remove the annotation',
    });
  warnOfEmptySelector(definition, report);
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
