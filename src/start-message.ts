import { isNativeError } from 'node:util/types';
import { MasterKeyError } from './auth/master-key-file.js';
import { NodeNameTaken } from './cluster/node-name.js';
import { ConfigError } from './config/config-error.js';
import type { Config } from './config/config.js';
import { LocalEtcdError } from './store/local-etcd/local-etcd-error.js';

export interface ReadyNode {
  readonly httpUrl: string;
  readonly httpsUrl?: string | null;
  readonly mqttUrl: string;
  readonly mqttsUrl?: string | null;
  readonly grpcUrl?: string | null;
  readonly grpcsUrl?: string | null;
  readonly etcd: 'local' | 'endpoints';
  readonly nodeId: string;
  readonly version: string;
  /** Whether callers need credentials. */
  readonly isSecure?: boolean;
}

/** The text of a ready node for a terminal: addresses, three commands to try, and the address of the API page. */
export function readyMessage(node: ReadyNode): string {
  const { hostname, port } = new URL(node.mqttUrl);
  const broker = `-h ${reachable(hostname)} -p ${port}`;
  const http = new URL(node.httpUrl);
  http.hostname = reachable(http.hostname);
  const etcd = node.etcd === 'local' ? 'a local one, which stops with this node' : 'that of UMBRA_ETCD_ENDPOINTS';
  const grpc = [node.grpcUrl, node.grpcsUrl].filter(Boolean).join('  ');
  const key = node.isSecure ? ' -u x -P $KEY' : '';
  const bearer = node.isSecure ? '-H "Authorization: Bearer $KEY" ' : '';
  const clients = node.isSecure ? 'need credentials: $KEY below is a key, see docs/security.md' : 'need no credentials';
  return [
    '',
    `Umbra ${node.version} is ready (node ${node.nodeId}). Ctrl-C stops it.`,
    `  HTTP   ${[node.httpUrl, node.httpsUrl].filter(Boolean).join('  ')}`,
    `  MQTT   ${[node.mqttUrl, node.mqttsUrl].filter(Boolean).join('  ')}`,
    ...(grpc === '' ? [] : [`  gRPC   ${grpc}`]),
    `  etcd   ${etcd}`,
    `  Clients ${clients}`,
    '',
    // Single quotes keep the shell from replacing $aws by an empty text.
    'Try it, the first line in a second terminal:',
    `  mosquitto_sub ${broker}${key} -v -t '$aws/things/lamp/shadow/#'`,
    `  mosquitto_pub ${broker}${key} -t '$aws/things/lamp/shadow/update' -m '{"state":{"desired":{"light":"on"}}}'`,
    `  curl ${bearer}'${http.origin}/things/lamp/shadow'`,
    `The REST API, to read and to try: ${http.origin}/docs`,
    '',
  ].join('\n');
}

/** The text of a failed start: the problem, and the remedy. */
export function startErrorMessage(error: unknown, config: Config | null): string {
  return `Umbra cannot start.\n${reason(error, config)}\n`;
}

function reason(error: unknown, config: Config | null): string {
  if (
    error instanceof ConfigError ||
    error instanceof LocalEtcdError ||
    error instanceof NodeNameTaken ||
    error instanceof MasterKeyError
  )
    return error.message;
  if (!isNativeError(error)) return String(error);
  const { code, port, address, path } = error as NodeJS.ErrnoException & { port?: number; address?: string };
  const variable = variableOfPort(port, config);
  if (code === 'EADDRINUSE') {
    const find = process.platform === 'darwin' ? `lsof -nP -iTCP:${port} -sTCP:LISTEN` : `ss -ltnp 'sport = :${port}'`;
    return [
      `Port ${port} of ${address} is taken by another process (${variable}).`,
      `Find it with  ${find}  and stop it, or use another port, such as  ${variable}=${(port ?? 0) + 1}  (0: any free one).`,
    ].join('\n');
  }
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
    return `This machine has no address ${address ?? config?.http.host}. Give one of its own in ${hostVariable(variable)}.`;
  }
  if (code === 'EACCES' && port !== undefined) {
    return `This user may not listen on port ${port} (${variable}). Use one above 1023, such as  ${variable}=${port + 8000}`;
  }
  if (code === 'EACCES' && path !== undefined) return `This user may not use ${path}. Change its owner or its mode.`;
  if (isAboutEtcd(error) && config !== null && config.etcd.endpoints.length > 0) {
    return [
      `etcd at ${config.etcd.endpoints.join(', ')} does not work for this node: ${error.message}`,
      'Is it running and reachable from here (curl <endpoint>/health)? For an etcd with TLS or users see UMBRA_ETCD_CA,',
      'UMBRA_ETCD_CERT, UMBRA_ETCD_KEY, UMBRA_ETCD_USER and UMBRA_ETCD_PASSWORD in docs/configuration.md.',
    ].join('\n');
  }
  return error.stack ?? error.message;
}

/** The variable that configures `port`. A port of 0 is never in use. */
function variableOfPort(port: number | undefined, config: Config | null): string {
  const variables: readonly (readonly [string, number | null | undefined])[] = [
    ['UMBRA_HTTP_PORT', config?.http.port],
    ['UMBRA_HTTPS_PORT', config?.http.tlsPort],
    ['UMBRA_GRPC_PORT', config?.grpc.port],
    ['UMBRA_GRPCS_PORT', config?.grpc.tlsPort],
    ['UMBRA_MQTT_PORT', config?.mqtt.port],
    ['UMBRA_MQTTS_PORT', config?.mqtt.tlsPort],
    ['UMBRA_METRICS_PORT', config?.metrics.port],
  ];
  return variables.find(([, configured]) => configured === port)?.[0] ?? 'UMBRA_HTTP_PORT or UMBRA_MQTT_PORT';
}

function hostVariable(portVariable: string): string {
  if (portVariable.includes(' or ')) return 'UMBRA_HTTP_HOST or UMBRA_MQTT_HOST';
  if (portVariable.startsWith('UMBRA_GRPC')) return 'UMBRA_GRPC_HOST';
  if (portVariable.startsWith('UMBRA_METRICS')) return 'UMBRA_METRICS_HOST';
  return portVariable.startsWith('UMBRA_HTTP') ? 'UMBRA_HTTP_HOST' : 'UMBRA_MQTT_HOST';
}

/** The class name identifies errors of the etcd client, the code those of the store. */
function isAboutEtcd(error: Error): boolean {
  const { code } = error as { code?: unknown };
  return /^(Etcd|GRPC)/.test(error.constructor.name) || code === 'storageUnavailable' || /etcd/i.test(error.message);
}

/** A host to connect to: a wildcard address becomes loopback. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return host === '[::]' || host === '::' ? '[::1]' : host;
}
