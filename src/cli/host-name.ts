import { hostname } from 'node:os';

/** The host's name in the letters that names may have. */
export function hostName(): string {
  const name = hostname()
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 40)
    .replaceAll(/^-+|-+$/g, '');
  return name === '' ? 'local' : name;
}

/** The host and the port of xDS: unique among pilots, and the same again after a restart. */
export function pilotId(xds: string): string {
  const port = xds.slice(xds.lastIndexOf(':') + 1);
  return `${hostName()}-${port === '0' ? process.pid : port}`;
}
