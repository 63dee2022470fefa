import { spawnSync } from 'node:child_process';
import { delimiter } from 'node:path';

/** Programs that the tests need beside etcd, and the packages that have them. */
export const MOSQUITTO = { program: 'mosquitto', debian: 'mosquitto', fedora: 'mosquitto', macos: 'mosquitto' };
export const MOSQUITTO_CLIENTS = {
  program: 'mosquitto_sub',
  debian: 'mosquitto-clients',
  fedora: 'mosquitto',
  macos: 'mosquitto',
};
/** Runs the commands of docs/install.md. */
export const ETCDCTL = { program: 'etcdctl', debian: 'etcd-client', fedora: 'etcd', macos: 'etcd' };
/** Sinks send to both; Redis is also a peer of the speed lab. */
export const NATS = { program: 'nats-server', debian: 'nats-server', fedora: 'nats-server', macos: 'nats-server' };
export const REDIS = { program: 'redis-server', debian: 'redis-server', fedora: 'redis', macos: 'redis' };
/** The balancer before the nodes in the lab of rolling restarts. */
export const HAPROXY = { program: 'haproxy', debian: 'haproxy', fedora: 'haproxy', macos: 'haproxy' };
export const CURL = { program: 'curl', debian: 'curl', fedora: 'curl', macos: 'curl' };
export const OPENSSL = { program: 'openssl', debian: 'openssl', fedora: 'openssl', macos: 'openssl' };

/** The Python that has Paho: Debian's, whatever Python comes first on the PATH. Null when there is none. */
export function pythonWithPaho() {
  const has = (program) => spawnSync(program, ['-c', 'import paho.mqtt.client'], { stdio: 'ignore' }).status === 0;
  return ['python3', '/usr/bin/python3'].find(has) ?? null;
}

/** A client library that shares no code with those of Node. */
export const PAHO = {
  program: 'python3 with paho.mqtt',
  isThere: () => pythonWithPaho() !== null,
  debian: 'python3-paho-mqtt',
  fedora: 'python3-paho-mqtt',
  macos: 'python (and then: pip install paho-mqtt)',
};

/** The PATH with the folders in which Debian keeps its servers, and which only root has on it. */
export function widePath(path = process.env.PATH ?? '') {
  const folders = path.split(delimiter).filter(Boolean);
  for (const folder of ['/usr/local/sbin', '/usr/sbin', '/sbin']) if (!folders.includes(folder)) folders.push(folder);
  return folders.join(delimiter);
}
