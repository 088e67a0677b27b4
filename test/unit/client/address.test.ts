import { describe, expect, it } from 'vitest';
import { isHttpUpstream, resolveAddress } from '../../../src/client/address.js';

const env = {
  MESH_PROXY: 'http://127.0.0.1:20003',
  DETAILS_ADDR: '127.0.0.1:20003',
  DETAILS_URL: 'http://details:9080',
  STARS_ADDR: '127.0.0.1:20003',
  STARS_URL: 'http://ratings.shop:9080',
  REVIEWS_ADDR: '127.0.0.1:29080',
  RATINGS_SHOP_ADDR: '127.0.0.1:20003',
  LEGACY_ADDR: '10.0.0.1:80, db.intranet:81',
  AUDIT_ADDR: 'etcd:///services/audit',
  OTHER_ROOT_ADDR: 'etcd:////legacy/services/audit',
  EMPTY_ADDR: '',
};

describe('the address of an upstream', () => {
  it('is the shared proxy with the upstream as authority when both have one address', () => {
    expect(resolveAddress(env, 'details')).toEqual({
      mode: 'proxy',
      address: '127.0.0.1:20003',
      authority: 'details:9080',
    });
  });

  it('names the host of its URL, since an upstream may have another name than its service', () => {
    expect(resolveAddress(env, 'stars')).toMatchObject({ mode: 'proxy', authority: 'ratings.shop:9080' });
  });

  it('keeps namespace and port in the authority, not in the name of the variable', () => {
    expect(resolveAddress(env, 'ratings.shop:9081')).toMatchObject({ mode: 'proxy', authority: 'ratings.shop:9081' });
  });

  it('is direct for a port of its own', () => {
    expect(resolveAddress(env, 'reviews')).toEqual({ mode: 'direct', addresses: ['127.0.0.1:29080'] });
  });

  it('is a list for several direct addresses', () => {
    expect(resolveAddress(env, 'legacy')).toEqual({ mode: 'direct', addresses: ['10.0.0.1:80', 'db.intranet:81'] });
  });

  it('is a path below which etcd has the instances', () => {
    expect(resolveAddress(env, 'audit')).toEqual({ mode: 'naming', path: 'services/audit' });
    expect(resolveAddress(env, 'other-root')).toEqual({ mode: 'naming', path: '/legacy/services/audit' });
  });

  it('is undefined when the environment does not know the upstream', () => {
    expect(resolveAddress(env, 'nobody')).toBeUndefined();
    expect(resolveAddress(env, 'empty')).toBeUndefined();
  });

  it('is for HTTP when there is a URL beside it', () => {
    expect(isHttpUpstream(env, 'details')).toBe(true);
    expect(isHttpUpstream(env, 'audit')).toBe(false);
  });
});
