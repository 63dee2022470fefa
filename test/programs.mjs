import { delimiter } from 'node:path';

/** Programs that the tests need beside etcd, and the packages that have them. */
export const MOSQUITTO = { program: 'mosquitto', debian: 'mosquitto', fedora: 'mosquitto', macos: 'mosquitto' };
export const MOSQUITTO_CLIENTS = {
  program: 'mosquitto_sub',
  debian: 'mosquitto-clients',
  fedora: 'mosquitto',
  macos: 'mosquitto',
};
/** A peer of the speed lab. */
export const REDIS = { program: 'redis-server', debian: 'redis-server', fedora: 'redis', macos: 'redis' };
export const CURL = { program: 'curl', debian: 'curl', fedora: 'curl', macos: 'curl' };
export const OPENSSL = { program: 'openssl', debian: 'openssl', fedora: 'openssl', macos: 'openssl' };

/** The PATH with the folders in which Debian keeps its servers, and which only root has on it. */
export function widePath(path = process.env.PATH ?? '') {
  const folders = path.split(delimiter).filter(Boolean);
  for (const folder of ['/usr/local/sbin', '/usr/sbin', '/sbin']) if (!folders.includes(folder)) folders.push(folder);
  return folders.join(delimiter);
}
