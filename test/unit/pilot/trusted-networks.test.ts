import { expect, test } from 'vitest';
import { refuseOpenAddress, trustedNetworks } from '../../../src/pilot/trusted-networks.js';

test('loopback is trusted always, others as they are named', () => {
  const networks = trustedNetworks(['10.0.0.0/8', 'fd00::/8']);
  const answers = ['127.0.0.1', '::1', '10.1.2.3', '::ffff:10.1.2.3', 'fd00::5', '10.1.2.3:4711', '[fd00::5]:4711'];
  expect(answers.filter((address) => !networks.accepts(address))).toEqual([]);
  const strangers = ['11.0.0.1', '::ffff:11.0.0.1', '2001:db8::1', '', 'unknown'];
  expect(strangers.filter((address) => networks.accepts(address))).toEqual([]);
});

test('a network that is none is refused with the way to write it', () => {
  for (const cidr of ['10.0.0.0', '10.0.0.0/33', 'intranet/8', '/8']) {
    expect(() => trustedNetworks([cidr])).toThrow('is not a network');
  }
});

test('listening off loopback wants a trusted network', () => {
  expect(() => refuseOpenAddress('--http', '0.0.0.0:7070', trustedNetworks([]))).toThrow('not on loopback');
  expect(() => refuseOpenAddress('--http', '[::]:7070', trustedNetworks([]))).toThrow('not on loopback');
  refuseOpenAddress('--http', '127.0.0.1:7070', trustedNetworks([]));
  refuseOpenAddress('--http', '[::1]:7070', trustedNetworks([]));
  refuseOpenAddress('--http', '0.0.0.0:7070', trustedNetworks(['10.0.0.0/8']));
});
