/** From where plain text is accepted. Loopback always; off loopback only what `--trusted-network` names. */
import { BlockList, isIP, isIPv6 } from 'node:net';
import { isLoopback } from '../model/names.js';
import { MeshError } from '../runtime/mesh-error.js';

export interface TrustedNetworks {
  readonly cidrs: readonly string[];
  /** Takes an IP, also an IPv4 one in IPv6's clothes, with or without a port behind it. */
  accepts(address: string): boolean;
}

export function trustedNetworks(cidrs: readonly string[]): TrustedNetworks {
  const list = new BlockList();
  list.addSubnet('127.0.0.0', 8, 'ipv4');
  list.addAddress('::1', 'ipv6');
  for (const cidr of cidrs) addSubnet(list, cidr);
  return {
    cidrs,
    accepts(address) {
      const ip = ipOf(address);
      return ip !== undefined && list.check(ip, isIPv6(ip) ? 'ipv6' : 'ipv4');
    },
  };
}

/** MESH2007 where an address off loopback would be served in plain text to whoever asks. */
export function refuseOpenAddress(what: string, address: string, networks: TrustedNetworks): void {
  const host = hostOf(address);
  if (isLoopback(host) || networks.cidrs.length > 0) return;
  throw new MeshError('MESH2007', `${what} ${address} is not on loopback, and plain text is accepted from nobody`, {
    hint: 'name the intranet that may use it: --trusted-network 10.0.0.0/8, or listen on 127.0.0.1',
  });
}

/** `host` of `host:port`, without the brackets of IPv6. */
export function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(':')).replace(/^\[|\]$/g, '');
}

function addSubnet(list: BlockList, cidr: string): void {
  const [network = '', bits = ''] = cidr.split('/');
  const family = isIP(network);
  const prefix = Number(bits);
  const most = family === 6 ? 128 : 32;
  if (family === 0 || !/^\d{1,3}$/.test(bits) || prefix > most) {
    throw new MeshError('MESH2007', `"${cidr}" is not a network`, { hint: 'write it as 10.0.0.0/8 or fd00::/8' });
  }
  list.addSubnet(network, prefix, family === 6 ? 'ipv6' : 'ipv4');
}

function ipOf(address: string): string | undefined {
  const bare = isIP(address) === 0 ? hostOf(address) : address;
  const ip = bare.replace(/^::ffff:(?=\d+\.)/i, '');
  return isIP(ip) === 0 ? undefined : ip;
}
