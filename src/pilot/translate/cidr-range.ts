import type { CidrRangeJson } from '../../xds/envoy-json.js';

const IPV4_BITS = 32;
const IPV6_BITS = 128;

/** `10.0.0.0/8`; an address is the range of itself. */
export function cidrRange(subnet: string): CidrRangeJson {
  const [addressPrefix = '', bits] = subnet.split('/');
  const whole = addressPrefix.includes(':') ? IPV6_BITS : IPV4_BITS;
  return { addressPrefix, prefixLen: bits === undefined ? whole : Number(bits) };
}
