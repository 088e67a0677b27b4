/** `lightmesh/client/naming`: etcd's address in, live addresses of a service out. */
import { type EtcdOptions, openEtcd } from './etcd.js';
import { createNamingResolver, type Naming } from './naming-resolver.js';

export type { EtcdOptions } from './etcd.js';
export { createNamingResolver, type Naming, type NamingOptions, type NamingSource } from './naming-resolver.js';

export interface OpenNamingOptions extends EtcdOptions {
  /** What stands after `etcd:///` in the address: `services/reviews`, `versions/reviews/v2`, `services.shop/reviews`. */
  readonly path: string;
}

/** Waits for etcd until the signal aborts. Closing the result closes its connection too. */
export async function openNaming(options: OpenNamingOptions, signal?: AbortSignal): Promise<Naming> {
  const etcd = openEtcd(options);
  try {
    const naming = await createNamingResolver({ store: etcd, path: options.path }, signal);
    const close = async (): Promise<void> => {
      await naming.close();
      etcd.close();
    };
    return { ...naming, close };
  } catch (error) {
    etcd.close();
    throw error;
  }
}
