/** Istio's words for what is spoken at a port, and what each is for us: requests that Envoy reads, or bytes. */
import { z } from 'zod';
import type { Protocol } from '../model/fields.js';

const protocols: Readonly<Record<string, Protocol>> = {
  HTTP: 'http',
  HTTP2: 'http2',
  GRPC: 'grpc',
  HTTPS: 'tcp',
  TLS: 'tcp',
  TCP: 'tcp',
  MONGO: 'tcp',
  MYSQL: 'tcp',
  REDIS: 'tcp',
};

/** Of a word that `protocolWordField` has accepted; undefined when it is left out. */
export function protocolOf(word: string | undefined): Protocol | undefined {
  return word === undefined || word === '' ? undefined : protocols[word.toUpperCase()];
}

export function protocolWordField(more: readonly string[] = []): z.ZodString {
  const words = [...Object.keys(protocols), ...more];
  return z
    .string()
    .refine((word) => word === '' || words.includes(word.toUpperCase()), `a protocol is one of ${words.join(', ')}`);
}

export const protocolWords = Object.keys(protocols).join(', ');
