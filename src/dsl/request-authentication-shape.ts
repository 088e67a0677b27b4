/** RequestAuthentication: what may stand in it (reference: 1.12). */
import { z } from 'zod';
import { positiveDurationField } from '../model/fields.js';
import { keySetProblem } from './key-set.js';
import { requestSelection } from './selector.js';

/** Istio's strict token: Envoy takes some more characters. */
const headerField = z.string().regex(/^[-_A-Za-z0-9]+$/, 'the name of a header: letters, digits, - and _');

const wordField = z.string().min(1, 'an empty text names nothing');

function httpUrlProblem(text: string): string | undefined {
  if (!URL.canParse(text)) return 'it is no URL';
  const { protocol, username, hostname } = new URL(text);
  if (protocol !== 'http:' && protocol !== 'https:') return 'it begins with http:// or https://';
  if (hostname === '' || username !== '') return 'it names a host, and nobody';
  return undefined;
}

function checked(problemOf: (text: string) => string | undefined): z.ZodString {
  return z.string().superRefine((text, context) => {
    const problem = problemOf(text);
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem, input: text });
  });
}

const jwtRuleSchema = z
  .strictObject({
    issuer: wordField
      .optional()
      .describe('Who signs the tokens, as their claim `iss` says. Without it, whoever has the key'),
    audiences: z.array(wordField).default([]).describe('Whom the tokens are for: their claim `aud` has one of these'),
    jwksUri: checked(httpUrlProblem)
      .optional()
      .describe('Where Envoy fetches the keys, and again every five minutes: a host of the mesh, or any other'),
    jwks: checked(keySetProblem).optional().describe('The keys themselves: a JSON Web Key Set'),
    fromHeaders: z
      .array(
        z.strictObject({
          name: headerField.describe('Name of the header'),
          prefix: z.string().default('').describe('What stands before the token in it, with its space: `Bearer `'),
        }),
      )
      .default([])
      .describe(
        'Headers that carry the token. With one of these three lists, nowhere else is looked; without, `Authorization: Bearer` and `access_token`',
      ),
    fromParams: z.array(wordField).default([]).describe('Parameters of the query that carry the token'),
    fromCookies: z.array(wordField).default([]).describe('Cookies that carry the token'),
    outputPayloadToHeader: headerField
      .optional()
      .describe('Header in which the app gets the payload of the token, base64url encoded'),
    outputClaimToHeaders: z
      .array(
        z.strictObject({
          header: headerField.describe('Name of the header'),
          claim: wordField.describe(
            'A claim whose value is a text, a number or a truth value; a dot goes one level deeper',
          ),
        }),
      )
      .default([])
      .describe('Headers in which the app gets claims'),
    forwardOriginalToken: z.boolean().default(false).describe('The app gets the token as well'),
    timeout: positiveDurationField.default('5s').describe('Of a fetch of the keys'),
    spaceDelimitedClaims: z
      .array(wordField)
      .default([])
      .describe('Claims that are lists with spaces between, besides `scope` and `permission`'),
  })
  .refine(({ issuer, jwksUri }) => issuer !== undefined || jwksUri !== undefined, {
    message: 'issuer or jwksUri must say whose tokens these are',
    path: ['issuer'],
  })
  .refine(({ jwks, jwksUri }) => jwks === undefined || jwksUri === undefined, {
    message: 'jwks and jwksUri: write one of them',
    path: ['jwks'],
  })
  .refine(({ jwks, jwksUri }) => jwks !== undefined || jwksUri !== undefined, {
    message:
      'nobody looks for keys at the issuer: write jwksUri (it stands as jwks_uri at ISSUER/.well-known/openid-configuration) or jwks',
    path: ['jwksUri'],
  });
export type JwtRule = z.output<typeof jwtRuleSchema>;

export const requestAuthenticationSchema = z.strictObject({
  ...requestSelection,
  jwtRules: z
    .array(jwtRuleSchema)
    .default([])
    .describe('Tokens that are taken. One that none of them takes is answered 401'),
});
export type RequestAuthenticationSpec = z.output<typeof requestAuthenticationSchema>;
