/** JSON Web Key Sets (RFC 7517), as far as one can say without a token that they will serve. */
import { z } from 'zod';

const base64url = z.string().regex(/^[A-Za-z0-9_-]+=*$/, 'base64url');
const common = {
  kid: z.string().optional(),
  use: z.string().optional(),
  alg: z.string().optional(),
  d: z.string().optional(),
};

/** What Envoy's jwt_verify_lib reads. */
const keySchema = z.discriminatedUnion('kty', [
  z.looseObject({ ...common, kty: z.literal('RSA'), n: base64url, e: base64url }),
  z.looseObject({ ...common, kty: z.literal('EC'), crv: z.string(), x: base64url, y: base64url }),
  z.looseObject({ ...common, kty: z.literal('OKP'), crv: z.string(), x: base64url }),
  z.looseObject({ ...common, kty: z.literal('oct'), k: base64url }),
]);
type Key = z.output<typeof keySchema>;

const keySetSchema = z.looseObject({ keys: z.array(keySchema).min(1) });

/** Undefined when it is one. */
export function keySetProblem(text: string): string | undefined {
  const value = parsed(text);
  if (value === undefined) return 'it is not JSON';
  const read = keySetSchema.safeParse(value);
  if (read.success) return undefined;
  const [issue] = read.error.issues;
  const at = issue?.path.join('.') ?? '';
  return `it is no JSON Web Key Set, {"keys": [{"kty": …}]}: ${at === '' ? 'the whole' : at} is wrong`;
}

/** Whoever has one of these signs tokens: it has no place where tokens are only checked. */
export function hasPrivateKey(text: string): boolean {
  const read = keySetSchema.safeParse(parsed(text));
  return read.success && read.data.keys.some(isPrivate);
}

function isPrivate({ kty, d }: Key): boolean {
  return kty !== 'oct' && d !== undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
