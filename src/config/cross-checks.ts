import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { createSecureContext } from 'node:tls';
import type { ConfigProblem } from './config-error.js';
import { isLoopback } from './loopback.js';
import { needsCredentials } from './needs-credentials.js';
import type { Values, VariableName } from './variables.js';

/** Bytes of a request around its document: the envelope, and some indentation. */
const MIN_ENVELOPE_BYTES = 1024;

type Add = (variable: VariableName, problem: string) => void;

const CHECKS = [
  ...[checkHosts, checkAuth, checkPorts, checkTls, checkEtcd],
  ...[checkBroker, checkPresence, checkSinks, checkSizes, checkMetrics],
];

/** Checks across variables. It runs only when each variable is valid alone. */
export function crossChecks(env: Values): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const add: Add = (variable, problem) => problems.push({ variable, problem });
  for (const check of CHECKS) check(env, add);
  return problems;
}

function checkHosts(env: Values, add: Add): void {
  if (env.UMBRA_INSECURE || env.UMBRA_AUTH !== 'off') return;
  for (const name of ['UMBRA_HTTP_HOST', 'UMBRA_GRPC_HOST', 'UMBRA_MQTT_HOST'] as const) {
    if (isLoopback(env[name]) || (name === 'UMBRA_GRPC_HOST' && !hasGrpc(env))) continue;
    add(
      name,
      `is "${env[name]}", but with UMBRA_AUTH=off the node authenticates nobody and therefore listens on loopback only; ` +
        `use UMBRA_AUTH=auto, or ${name}=127.0.0.1, or UMBRA_INSECURE=true if a firewall or a proxy keeps strangers out`,
    );
  }
}

/** Whether the node listens for gRPC at all. */
const hasGrpc = (env: Values): boolean => env.UMBRA_GRPC_PORT !== null || env.UMBRA_GRPCS_PORT !== null;

function checkAuth(env: Values, add: Add): void {
  const hosts = [env.UMBRA_HTTP_HOST, env.UMBRA_MQTT_HOST, ...(hasGrpc(env) ? [env.UMBRA_GRPC_HOST] : [])];
  if (!needsCredentials(env.UMBRA_AUTH, env.UMBRA_INSECURE, hosts)) return;
  if (env.UMBRA_MASTER_KEY !== null || env.UMBRA_ETCD_ENDPOINTS.length === 0) return;
  add(
    'UMBRA_MASTER_KEY',
    'is missing: nodes that share an etcd need the same master key; make one with  openssl rand -hex 32  and give its file',
  );
}

function checkSinks({ UMBRA_SINK_ADDRESSES: ranges }: Values, add: Add): void {
  const wrong = ranges.find((range) => isIP(range.replace(/\/.*$/, '')) === 0);
  if (wrong !== undefined)
    add('UMBRA_SINK_ADDRESSES', `has "${wrong}", which is no range of addresses; write one as in 10.0.0.0/8`);
}

const PORTS = [
  ...(['UMBRA_HTTP_PORT', 'UMBRA_HTTPS_PORT', 'UMBRA_GRPC_PORT', 'UMBRA_GRPCS_PORT'] as const),
  ...(['UMBRA_MQTT_PORT', 'UMBRA_MQTTS_PORT', 'UMBRA_METRICS_PORT'] as const),
];

function checkPorts(env: Values, add: Add): void {
  const taken = new Map<number, string>();
  for (const name of PORTS) {
    const port = env[name];
    if (port === null || port === 0) continue;
    const other = taken.get(port);
    if (other !== undefined) add(name, `is ${port}, which is ${other} too; use another port, or 0 for any free one`);
    taken.set(port, name);
  }
}

function checkTls(env: Values, add: Add): void {
  const port = (['UMBRA_HTTPS_PORT', 'UMBRA_GRPCS_PORT', 'UMBRA_MQTTS_PORT'] as const).find(
    (name) => env[name] !== null,
  );
  for (const [name, path, example] of [
    ['UMBRA_TLS_CERT', env.UMBRA_TLS_CERT, '/etc/umbra/tls.crt'],
    ['UMBRA_TLS_KEY', env.UMBRA_TLS_KEY, '/etc/umbra/tls.key'],
  ] as const) {
    if (path !== null) continue;
    const because = port ?? ((env.UMBRA_TLS_CERT ?? env.UMBRA_TLS_KEY) ? 'its other half' : null);
    if (because !== null) add(name, `is missing, and ${because} needs it, e.g. ${name}=${example}`);
  }
  checkPair(env, 'UMBRA_TLS_CERT', 'UMBRA_TLS_KEY', 'UMBRA_TLS_CA', add);
}

/** Reads the files like the node does: a key of another certificate must fail the start, not the first device. */
function checkPair(env: Values, certName: VariableName, keyName: VariableName, caName: VariableName, add: Add): void {
  const files = [certName, keyName, caName].map((name) => readPem(env, name, add));
  const [cert, key, ca] = files;
  for (const [name, options] of [
    [certName, { cert }],
    [keyName, { key }],
    [caName, { ca }],
  ] as const) {
    const pem = Object.values(options)[0];
    if (pem && !isUsable(options)) add(name, 'names a file that holds no PEM that TLS can use; make it again');
    else if (pem && name === keyName && cert && isUsable({ cert }) && !isUsable({ cert, key })) {
      add(keyName, `names a key that does not belong to ${certName}; give the key that the certificate was made with`);
    }
  }
}

function readPem(env: Values, name: VariableName, add: Add): Buffer | undefined {
  const path = env[name];
  if (typeof path !== 'string') return undefined;
  try {
    return readFileSync(path);
  } catch (error) {
    // The message omits the path of a key, because some people put the key itself there.
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    add(name, `names a file that cannot be read (${code}); give the path of a file that this user may read`);
    return undefined;
  }
}

function isUsable(options: { cert?: Buffer | undefined; key?: Buffer | undefined; ca?: Buffer | undefined }): boolean {
  try {
    createSecureContext(options);
    // A context takes any text as authorities, and trusts nobody then.
    if (options.ca !== undefined) new X509Certificate(pemIn(options.ca));
    return true;
  } catch {
    return false;
  }
}

/** From the first certificate on: what stands before it is a comment. Empty: there is none, as in DER. */
function pemIn(file: Buffer): Buffer {
  const at = file.indexOf('-----BEGIN ');
  return at < 0 ? Buffer.alloc(0) : file.subarray(at);
}

function checkEtcd(env: Values, add: Add): void {
  const endpoints = env.UMBRA_ETCD_ENDPOINTS;
  const secured = endpoints.filter((url) => url.startsWith('https:')).length;
  if (secured > 0 && secured < endpoints.length) add('UMBRA_ETCD_ENDPOINTS', 'mixes http and https; use one of them');
  if (endpoints.some((url) => Number(url.split(':').at(-1)) > 65_535)) {
    add('UMBRA_ETCD_ENDPOINTS', 'has a port above 65535, e.g. UMBRA_ETCD_ENDPOINTS=http://etcd-0:2379');
  }
  for (const name of ['UMBRA_ETCD_CA', 'UMBRA_ETCD_CERT', 'UMBRA_ETCD_KEY', 'UMBRA_ETCD_USER'] as const) {
    if (env[name] === null) continue;
    if (endpoints.length === 0) add(name, 'is set, but UMBRA_ETCD_ENDPOINTS is not; set both or none');
    else if (name !== 'UMBRA_ETCD_USER' && secured === 0)
      add(name, 'is set, but UMBRA_ETCD_ENDPOINTS has no https URL');
  }
  checkTogether(env, 'UMBRA_ETCD_USER', 'UMBRA_ETCD_PASSWORD', add);
  checkTogether(env, 'UMBRA_ETCD_PASSWORD', 'UMBRA_ETCD_USER', add);
  checkTogether(env, 'UMBRA_ETCD_CERT', 'UMBRA_ETCD_KEY', add);
  checkTogether(env, 'UMBRA_ETCD_KEY', 'UMBRA_ETCD_CERT', add);
  checkTogether(env, 'UMBRA_ETCD_CERT', 'UMBRA_ETCD_CA', add);
  checkPair(env, 'UMBRA_ETCD_CERT', 'UMBRA_ETCD_KEY', 'UMBRA_ETCD_CA', add);
}

function checkBroker(env: Values, add: Add): void {
  const url = env.UMBRA_BROKER_URL;
  const given = ['CA', 'CERT', 'KEY', 'USER', 'PASSWORD'].map((name) => `UMBRA_BROKER_${name}` as VariableName);
  for (const name of given) {
    if (env[name] === null) continue;
    if (url === null) add(name, 'is set, but UMBRA_BROKER_URL is not; set both or none');
    else if (!url.startsWith('mqtts:') && /_(CA|CERT|KEY)$/.test(name))
      add(name, 'is set, but UMBRA_BROKER_URL is not an mqtts URL');
  }
  if (url !== null && Number(/:(\d+)$/.exec(url)?.[1] ?? 0) > 65_535) add('UMBRA_BROKER_URL', 'has a port above 65535');
  checkTogether(env, 'UMBRA_BROKER_PASSWORD', 'UMBRA_BROKER_USER', add);
  checkTogether(env, 'UMBRA_BROKER_CERT', 'UMBRA_BROKER_KEY', add);
  checkTogether(env, 'UMBRA_BROKER_KEY', 'UMBRA_BROKER_CERT', add);
  checkPair(env, 'UMBRA_BROKER_CERT', 'UMBRA_BROKER_KEY', 'UMBRA_BROKER_CA', add);
}

function checkTogether(env: Values, given: VariableName, needed: VariableName, add: Add): void {
  if (env[given] !== null && env[needed] === null) add(needed, `is missing, and ${given} needs it; set both or none`);
}

function checkPresence(env: Values, add: Add): void {
  if (env.UMBRA_PRESENCE_FENCE && !env.UMBRA_PRESENCE)
    add(
      'UMBRA_PRESENCE_FENCE',
      'is true, but without presence there is no record that a write could be compared with; ' +
        'use UMBRA_PRESENCE=true, or UMBRA_PRESENCE_FENCE=false',
    );
}

function checkSizes(env: Values, add: Add): void {
  const least = env.UMBRA_MAX_DOCUMENT_BYTES + MIN_ENVELOPE_BYTES;
  for (const name of ['UMBRA_MAX_REQUEST_BYTES', 'UMBRA_MQTT_MAX_PACKET_BYTES'] as const) {
    if (env[name] < least) add(name, `is ${env[name]}; with UMBRA_MAX_DOCUMENT_BYTES it must be at least ${least}`);
  }
  if (env.UMBRA_ETCD_CALL_TIMEOUT_MS > env.UMBRA_REQUEST_TIMEOUT_MS) {
    add(
      'UMBRA_ETCD_CALL_TIMEOUT_MS',
      'must not be more than UMBRA_REQUEST_TIMEOUT_MS, or no second member is ever tried',
    );
  }
}

/** As at the doors: on another address than loopback whoever asks has to prove something. */
function checkMetrics(env: Values, add: Add): void {
  const { UMBRA_METRICS_HOST: host, UMBRA_METRICS_PORT: port, UMBRA_METRICS_TOKEN: token } = env;
  if (port === null || token !== null || isLoopback(host) || env.UMBRA_INSECURE) return;
  add(
    'UMBRA_METRICS_TOKEN',
    `is missing, and UMBRA_METRICS_HOST=${host} lets others than this machine read the metrics; make one with  ` +
      'openssl rand -hex 32  and give its file, or use UMBRA_METRICS_HOST=127.0.0.1',
  );
}
