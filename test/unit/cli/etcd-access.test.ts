import { expect, it } from 'vitest';
import { cli } from '../../support/cli-io.js';

const line = ['get', 'services', '--store', 'etcds://127.0.0.1:1'];

it.each([
  [
    'a user without a password',
    ['--etcd-user', 'mesh'],
    {},
    /etcd user "mesh" has no password[\s\S]*MESH_ETCD_PASSWORD/,
  ],
  ['the same, by the environment', [], { MESH_ETCD_USER: 'mesh' }, /etcd user "mesh" has no password/],
  ['a certificate without a CA', [], { MESH_ETCD_CERT: 'c', MESH_ETCD_KEY: 'k' }, /need --etcd-ca/],
  ['a certificate without its key', ['--etcd-ca', 'a', '--etcd-cert', 'c'], {}, /--etcd-key is missing/],
  ['a file that is not there', ['--etcd-ca', 'nowhere.pem'], {}, /could not read nowhere\.pem/],
])('%s is wrong usage', async (_, flags, env, said) => {
  const { exit, stderr } = await cli([...line, ...flags], { env: { ...env } });
  expect(stderr).toMatch(said);
  expect(exit).toBe(2);
});
