import { DEFAULT_LIMITS } from '../document/limits.js';
import { LOG_LEVELS } from '../telemetry/logger.js';
import { CALLER_LIMITS } from './caller-limits.js';
import { DRAIN_VARIABLES, SERVER_REFERENCE } from './drain-variables.js';
import { choice, file, flag, host, integer, list, optionalPort, port, text, type Variable } from './kinds.js';
import { METRICS_VARIABLES } from './metrics-variables.js';
import { SINK_VARIABLES } from './sink-variables.js';
import { TRACE_VARIABLES } from './trace-variables.js';

const MIB = 1024 * 1024;
const HOUR_MS = 3_600_000;
const YEAR_SECONDS = 31_536_000;

const user = <const P extends string>(path: P, meaning: string) =>
  text(path, null, {
    type: 'text',
    pattern: /^[^\0\n]{1,256}$/,
    problem: 'must be 1 to 256 characters',
    example: 'umbra',
    meaning,
  });
const password = <const P extends string>(path: P, meaning: string) =>
  text(path, null, {
    type: 'text',
    pattern: /^[^\0\n]{1,1024}$/,
    problem: 'must be 1 to 1024 characters',
    example: '(the password)',
    secret: true,
    meaning,
  });

/**
 * All variables of the node, by the headings of docs/configuration.md. The type Config, the values, the page
 * and the error texts follow from this table; a new variable is one row. `npm run docs:configuration` writes the page.
 */
export const SECTIONS = {
  HTTP: {
    UMBRA_HTTP_HOST: host('http.host', 'Address of the REST API, the streams and the health checks.'),
    UMBRA_HTTP_PORT: port('http.port', 8080, { meaning: 'HTTP without TLS.' }),
    UMBRA_HTTPS_PORT: optionalPort('http.tlsPort', {
      meaning: 'HTTP with TLS; needs UMBRA_TLS_CERT and UMBRA_TLS_KEY.',
      example: '8443',
    }),
    UMBRA_HTTP_MAX_CONNECTIONS: integer('http.maxConnections', 0, {
      ...{ min: 0, max: 1_000_000, unit: 'connections' },
      defaultText: 'what file descriptors allow',
      meaning:
        'HTTP connections at once, watch streams included, WebSockets not; beyond them the one that has been idle longest is closed, or the new one where none is idle. 0 is what the file descriptor limit leaves beside MQTT and etcd, at least 4000 where the limit is 16384 or more.',
    }),
    UMBRA_HTTP_NAMES: list('http.names', {
      type: 'comma-separated host names',
      pattern: /^[A-Za-z0-9._-]{1,253}$/,
      problem: 'must be host names without scheme and port, separated by commas',
      max: 100,
      example: 'umbra,shadows.example.com',
      defaultText: 'empty',
      meaning:
        'Names by which clients reach this node over HTTP and WebSocket, such as that of a proxy or a Kubernetes service. Addresses, localhost and UMBRA_HTTP_HOST are always allowed; a request to any other name is answered with 400.',
    }),
  },
  gRPC: {
    UMBRA_GRPC_HOST: host('grpc.host', 'Address of the gRPC service, where a port for it is given.'),
    UMBRA_GRPC_PORT: optionalPort('grpc.port', {
      meaning: 'gRPC without TLS, see grpc.md.',
      example: '9090',
    }),
    UMBRA_GRPCS_PORT: optionalPort('grpc.tlsPort', {
      meaning: 'gRPC with TLS; needs UMBRA_TLS_CERT and UMBRA_TLS_KEY.',
      example: '9443',
    }),
    UMBRA_GRPC_MAX_CONNECTIONS: integer('grpc.maxConnections', 1000, {
      ...{ min: 1, max: 1_000_000, unit: 'connections' },
      meaning:
        'gRPC connections at once; beyond them the one that has been without a call longest is closed, or the new one where none is. They take file descriptors beside those of HTTP.',
    }),
  },
  MQTT: {
    UMBRA_MQTT_HOST: host('mqtt.host', 'Address of the MQTT broker.'),
    UMBRA_MQTT_PORT: port('mqtt.port', 1883, { meaning: 'MQTT without TLS.' }),
    UMBRA_MQTTS_PORT: optionalPort('mqtt.tlsPort', {
      meaning: 'MQTT with TLS, by custom 8883; needs UMBRA_TLS_CERT and UMBRA_TLS_KEY.',
      example: '8883',
    }),
    UMBRA_MQTT_MAX_CONNECTIONS: integer('mqtt.maxConnections', 0, {
      ...{ min: 0, max: 10_000_000, unit: 'connections' },
      defaultText: 'what file descriptors allow',
      meaning:
        'MQTT connections at once, WebSockets included; further ones are rejected. 0 is the file descriptor limit less a reserve for HTTP and etcd.',
    }),
    UMBRA_MQTT_MAX_PACKET_BYTES: integer('mqtt.maxPacketBytes', 256 * 1024, {
      ...{ min: 1024, max: 64 * MIB, unit: 'bytes' },
      meaning: 'Largest MQTT packet that is read; a client that sends a larger one is disconnected.',
    }),
    UMBRA_MQTT_MAX_BACKLOG_BYTES: integer('mqtt.maxBacklogBytes', MIB, {
      ...{ min: 1024, max: 1024 * MIB, unit: 'bytes' },
      meaning: 'Bytes that may wait for one subscriber before it is disconnected.',
    }),
    UMBRA_MQTT_DRAIN_TIMEOUT_MS: integer('mqtt.drainTimeoutMs', 10_000, {
      ...{ min: 100, max: HOUR_MS, unit: 'ms' },
      meaning: 'How long a subscriber may read nothing while messages wait for it.',
    }),
    UMBRA_MQTT_MAX_SUBSCRIPTIONS: integer('mqtt.maxSubscriptions', 50, {
      ...{ min: 1, max: 100_000, unit: 'filters' },
      meaning: 'Topic filters of one MQTT client; further ones are refused. AWS allows 50.',
    }),
    UMBRA_MQTT_MAX_SESSION_MESSAGES: integer('mqtt.maxSessionMessages', 1000, {
      ...{ min: 0, max: 1_000_000, unit: 'messages' },
      meaning: 'Messages kept for one offline persistent session; the oldest are dropped first.',
    }),
    UMBRA_MQTT_MAX_SESSIONS: integer('mqtt.maxSessions', 100_000, {
      ...{ min: 0, max: 10_000_000, unit: 'sessions' },
      meaning: 'Persistent sessions kept at once; beyond them the tenant that keeps most loses one.',
    }),
    UMBRA_MQTT_SESSION_SECONDS: integer('mqtt.sessionSeconds', 3600, {
      ...{ min: 0, max: YEAR_SECONDS, unit: 's' },
      meaning: 'How long a persistent session without a connection is kept.',
    }),
    UMBRA_MQTT_DELTA_ON_SUBSCRIBE: flag('mqtt.deltaOnSubscribe', true, {
      meaning:
        'Send the current delta to a client that subscribes to update/delta, or resumes a session that has it, instead of the missed deltas.',
    }),
    ...SERVER_REFERENCE,
  },
  TLS: {
    UMBRA_TLS_CERT: file('tls.cert', {
      meaning: 'Certificate chain of this node, PEM.',
      example: '/etc/umbra/tls.crt',
    }),
    UMBRA_TLS_KEY: file('tls.key', {
      meaning: 'Private key of UMBRA_TLS_CERT, PEM.',
      example: '/etc/umbra/tls.key',
      secret: true,
    }),
    UMBRA_TLS_CA: file('tls.ca', {
      meaning: 'Authority of client certificates, PEM. With it the MQTT TLS port requires a client certificate.',
      example: '/etc/umbra/ca.crt',
    }),
  },
  Access: {
    UMBRA_AUTH: choice('auth.mode', 'auto', {
      values: ['auto', 'on', 'off'],
      meaning:
        'Whether clients need credentials. auto: not while every address is loopback, always on other addresses, see security.md.',
    }),
    UMBRA_MASTER_KEY: file('auth.masterKey', {
      meaning:
        'File with the master key, 64 digits of hexadecimal, by which keys of clients are checked; the same on all nodes. Without it a node with an etcd of its own makes one under UMBRA_DATA_DIR.',
      example: '/etc/umbra/master.key',
      secret: true,
    }),
    UMBRA_AUTH_ISSUER: text('auth.issuer', null, {
      type: 'URL',
      pattern: /^https?:\/\/(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?$/,
      problem: 'must be the URL of the service as clients reach it, without a path: https://host or https://host:port',
      example: 'https://shadows.example.com',
      meaning:
        'URL of this service as clients reach it, the same on all nodes. With it the service issues access tokens to who has a key, see clients.md.',
    }),
    UMBRA_AUTH_ISSUER_HOSTS: list('auth.issuerHosts', {
      type: 'comma-separated host names',
      pattern: /^[A-Za-z0-9._:[\]-]{1,253}$/,
      problem: 'must be host names without scheme and port, separated by commas',
      max: 100,
      example: 'login.example.com',
      defaultText: 'empty',
      meaning:
        'Hosts of the issuers that tenants may register, see security.md. Empty: any host over https; name them where tenants are not trusted with requests from the network of the nodes.',
    }),
  },
  'Limits of callers': CALLER_LIMITS,
  'External broker': {
    UMBRA_BROKER_URL: text('externalBroker.url', null, {
      type: 'URL',
      pattern: /^mqtts?:\/\/(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?$/,
      problem: 'must be a URL of the form mqtt://host:port or mqtts://host:port, without user and password',
      example: 'mqtts://broker.example:8883',
      meaning: 'Existing MQTT broker to serve in addition to the built-in one, see external-broker.md.',
    }),
    UMBRA_BROKER_CLIENT_ID: text('externalBroker.clientId', 'umbra', {
      type: 'text',
      pattern: /^[A-Za-z0-9._-]{1,64}$/,
      problem: 'must be 1 to 64 letters, digits, ".", "_", "-"',
      example: 'umbra',
      meaning:
        'Name of this installation at the broker: its sessions there and its cursors in etcd carry it. All its nodes need the same name, and no other client may have it.',
    }),
    UMBRA_BROKER_USER: user('externalBroker.user', 'User of the broker.'),
    UMBRA_BROKER_PASSWORD: password('externalBroker.password', 'Password of UMBRA_BROKER_USER.'),
    UMBRA_BROKER_CA: file('externalBroker.tls.ca', {
      meaning: 'Authority of the broker, PEM.',
      example: '/etc/umbra/broker-ca.crt',
    }),
    UMBRA_BROKER_CERT: file('externalBroker.tls.cert', {
      meaning: 'Client certificate for the broker, PEM.',
      example: '/etc/umbra/broker.crt',
    }),
    UMBRA_BROKER_KEY: file('externalBroker.tls.key', {
      meaning: 'Private key of UMBRA_BROKER_CERT, PEM.',
      example: '/etc/umbra/broker.key',
      secret: true,
    }),
    UMBRA_BROKER_SHARED: flag('externalBroker.shared', false, {
      meaning:
        'Let the broker divide requests among the lanes by shared subscriptions. Not with mosquitto 2.0, which delivers nothing on those below $aws.',
    }),
    UMBRA_BROKER_LANES: integer('externalBroker.lanes', 1, {
      ...{ min: 1, max: 64, unit: 'sessions' },
      meaning:
        'Sessions that consume requests, divided among the nodes; the same on all nodes. Without UMBRA_BROKER_SHARED each of them receives every request.',
    }),
    UMBRA_BROKER_MAX_IN_FLIGHT: integer('externalBroker.maxInFlight', 1000, {
      ...{ min: 1, max: 10_000, unit: 'messages' },
      meaning: 'Requests of one lane, and changes of one node, in flight at once; more wait at the broker and in etcd.',
    }),
    UMBRA_BROKER_SESSION_SECONDS: integer('externalBroker.sessionSeconds', 604_800, {
      ...{ min: 60, max: YEAR_SECONDS, unit: 's' },
      meaning: 'How long the broker keeps requests while no node is connected to it.',
    }),
    UMBRA_BROKER_DOCUMENTS: flag('externalBroker.documents', true, {
      meaning:
        'Publish update/documents on the external broker. The broker does not say who subscribes, so each update costs their size.',
    }),
    UMBRA_BROKER_TAKEOVER_SECONDS: integer('externalBroker.takeoverSeconds', 5, {
      ...{ min: 2, max: 300, unit: 's' },
      meaning: 'Silence of a node after which the other nodes take over its work at the external broker.',
    }),
  },
  Sinks: SINK_VARIABLES,
  etcd: {
    UMBRA_ETCD_ENDPOINTS: list('etcd.endpoints', {
      type: 'comma-separated URLs',
      pattern: /^https?:\/\/(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):\d{1,5}$/,
      problem: 'must be URLs of the form http://host:port or https://host:port, separated by commas',
      max: 50,
      example: 'http://etcd-0:2379,http://etcd-1:2379',
      defaultText: 'empty',
      meaning:
        'Members of the etcd to use. Empty: the node starts and supervises an etcd of its own under UMBRA_DATA_DIR.',
    }),
    UMBRA_ETCD_CA: file('etcd.tls.ca', {
      meaning: 'Authority of the etcd servers, PEM.',
      example: '/etc/umbra/etcd-ca.crt',
    }),
    UMBRA_ETCD_CERT: file('etcd.tls.cert', {
      meaning: 'Client certificate for etcd, PEM.',
      example: '/etc/umbra/etcd.crt',
    }),
    UMBRA_ETCD_KEY: file('etcd.tls.key', {
      meaning: 'Private key of UMBRA_ETCD_CERT, PEM.',
      example: '/etc/umbra/etcd.key',
      secret: true,
    }),
    UMBRA_ETCD_USER: user('etcd.user', 'User of etcd; needs UMBRA_ETCD_PASSWORD.'),
    UMBRA_ETCD_PASSWORD: password('etcd.password', 'Password of UMBRA_ETCD_USER.'),
    UMBRA_ETCD_PREFIX: text('etcd.prefix', '/umbra/v1/', {
      type: 'text',
      pattern: /^\/([A-Za-z0-9._-]{1,64}\/){1,8}$/,
      problem: 'must start and end with "/" and have 1 to 8 parts of letters, digits, ".", "_", "-" between',
      example: '/umbra/v1/',
      meaning: 'Prefix of every key. Services with different prefixes can share one etcd.',
    }),
    UMBRA_ETCD_QUOTA_BYTES: integer('etcd.quotaBytes', Math.floor(8 * 1024 * MIB * 0.95), {
      ...{ min: MIB, max: 1024 * 1024 * MIB, unit: 'bytes' },
      meaning:
        'Size of the etcd database from which updates are rejected (reads and deletes continue); keep it below --quota-backend-bytes of the servers.',
    }),
    UMBRA_ETCD_CALL_TIMEOUT_MS: integer('etcd.callTimeoutMs', 500, {
      ...{ min: 50, max: 60_000, unit: 'ms' },
      meaning:
        'Deadline of one call to one etcd member; then the next member is tried. Shorter ones bring service back sooner when the leader is lost, longer ones bear slower disks, see robustness.md.',
    }),
  },
  Presence: {
    UMBRA_PRESENCE: flag('presence.isOn', true, {
      meaning: 'Keep in etcd which MQTT clients are connected, and tell of those that come and go, see presence.md.',
    }),
    UMBRA_PRESENCE_FENCE: flag('presence.fence', false, {
      meaning:
        'Refuse updates and deletes that come over a connection of the built-in broker after a newer one of the same client was recorded; needs UMBRA_PRESENCE, see presence.md.',
    }),
    UMBRA_PRESENCE_LEASE_SECONDS: integer('presence.leaseSeconds', 10, {
      ...{ min: 2, max: 300, unit: 's' },
      meaning: 'Silence of a node after which the other nodes mark its clients as disconnected.',
    }),
    UMBRA_PRESENCE_DAYS: integer('presence.days', 30, {
      ...{ min: 1, max: 3650, unit: 'days' },
      meaning: 'How long a client is remembered after its last connection.',
    }),
    UMBRA_PRESENCE_MAX_CLIENTS: integer('presence.maxClients', 200_000, {
      ...{ min: 1, max: 10_000_000, unit: 'clients' },
      meaning:
        'Clients that are remembered, connected or not; each takes about 0.5 KB in etcd and in the memory of every node. When they become too many those that left first are forgotten; further ones are served, but not recorded, see presence.md.',
    }),
  },
  'Watch streams': {
    UMBRA_WATCH_HISTORY_RECORDS: integer('watch.historyRecords', 10_000, {
      ...{ min: 0, max: 10_000_000, unit: 'records' },
      meaning:
        'Changes kept in memory for readers that resume, records of presence among them; what is older is read from etcd, see streams.md.',
    }),
    UMBRA_WATCH_MAX_QUEUED: integer('watch.maxQueued', 5000, {
      ...{ min: 1, max: 10_000_000, unit: 'records' },
      meaning: 'Changes that may wait for one reader before its stream ends as too slow.',
    }),
    UMBRA_WATCH_MAX_BYTES: integer('watch.maxBytes', 256 * MIB, {
      ...{ min: MIB, max: 1024 * 1024 * MIB, unit: 'bytes' },
      meaning:
        'Memory that changes waiting for all readers together may use; streams of readers that read nothing end first.',
    }),
    UMBRA_WATCH_MAX_SUBSCRIPTIONS: integer('watch.maxSubscriptions', 10_000, {
      ...{ min: 1, max: 10_000_000, unit: 'readers' },
      meaning: 'Watch streams at once.',
    }),
    UMBRA_WATCH_BOOKMARK_MS: integer('watch.bookmarkMs', 5000, {
      ...{ min: 100, max: HOUR_MS, unit: 'ms' },
      meaning: 'Time between bookmarks on an idle stream.',
    }),
  },
  Metrics: METRICS_VARIABLES,
  Traces: TRACE_VARIABLES,
  'Node and limits': {
    UMBRA_NODE_ID: text('nodeId', null, {
      type: 'text',
      pattern: /^[A-Za-z0-9._-]{1,128}$/,
      problem: 'must be 1 to 128 letters, digits, ".", "_", "-"',
      example: 'umbra-1',
      defaultText: 'host name and a random number',
      meaning: 'Name of this node in logs and metrics; no two nodes may have the same name.',
    }),
    UMBRA_DATA_DIR: text('dataDir', './data', {
      type: 'path',
      pattern: /^[^\0\n]{1,4096}$/,
      problem: 'must be the path of a folder',
      example: './data',
      meaning: 'Folder of all files of the node.',
    }),
    UMBRA_MAX_DOCUMENT_BYTES: integer('limits.maxDocumentBytes', DEFAULT_LIMITS.maxDocumentBytes, {
      ...{ min: 256, max: 128 * 1024, unit: 'bytes' },
      meaning:
        'Largest document: compact JSON of desired and reported together. Above 8192 it is larger than AWS allows.',
    }),
    UMBRA_MAX_DEPTH: integer('limits.maxDepth', DEFAULT_LIMITS.maxDepth, {
      ...{ min: 1, max: 100, unit: 'levels' },
      meaning: 'Deepest nesting inside desired or reported.',
    }),
    UMBRA_MAX_CLIENT_TOKEN_BYTES: integer('limits.maxClientTokenBytes', DEFAULT_LIMITS.maxClientTokenBytes, {
      ...{ min: 1, max: 1024, unit: 'bytes' },
      meaning: 'Longest client token, in UTF-8.',
    }),
    UMBRA_MAX_REQUEST_BYTES: integer('limits.maxRequestBytes', DEFAULT_LIMITS.maxRequestBytes, {
      ...{ min: 1024, max: 512 * 1024, unit: 'bytes' },
      meaning: 'Largest update as it is sent, before it is merged; no larger HTTP body is read.',
    }),
    UMBRA_REQUEST_TIMEOUT_MS: integer('requestTimeoutMs', 5000, {
      ...{ min: 100, max: 300_000, unit: 'ms' },
      meaning: 'Time from the arrival of a request to its answer.',
    }),
    UMBRA_MAX_QUEUED_PER_SHADOW: integer('maxQueuedPerShadow', 1000, {
      ...{ min: 1, max: 1_000_000, unit: 'changes' },
      meaning: 'Changes of one shadow that may wait for their turn; further ones are answered with 429.',
    }),
    UMBRA_CACHE_ENTRIES: integer('cacheEntries', 100_000, {
      ...{ min: 0, max: 100_000_000, unit: 'shadows' },
      meaning: 'Shadows whose last known record is kept in memory.',
    }),
    UMBRA_RECORD_FORMAT: integer('recordFormat', 2, {
      ...{ min: 1, max: 2, unit: '' },
      meaning:
        'Form of the records that the node writes to etcd: 1 as long as nodes that read only form 1 are on the same etcd.',
    }),
    ...DRAIN_VARIABLES,
    UMBRA_LOG_LEVEL: choice('logLevel', 'info', {
      values: LOG_LEVELS,
      meaning: 'Least severe lines that are logged. Payloads of devices are never logged at info and above.',
    }),
    UMBRA_INSECURE: flag('insecure', false, {
      meaning:
        'Serve everybody without credentials on other addresses than loopback, as UMBRA_AUTH=off or auto then does. Only behind a firewall or inside a container network.',
    }),
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, Variable>>>>;

type Together<U> = (U extends unknown ? (each: U) => void : never) extends (all: infer A) => void ? A : never;
type Table = Together<(typeof SECTIONS)[keyof typeof SECTIONS]>;

/** The name of a variable. */
export type VariableName = keyof Table;
/** One row of the table. */
export type Row = Table[VariableName];
/** The value of each variable, by its name. */
export type Values = { readonly [N in VariableName]: ValueOf<Table[N]> };
export type ValueOf<V> = V extends Variable<infer T> ? T : never;

/** Every variable by its name, in the order of the sections. */
export const VARIABLES = Object.assign({}, ...Object.values(SECTIONS)) as Readonly<Record<VariableName, Variable>>;
export const VARIABLE_NAMES = Object.keys(VARIABLES) as readonly VariableName[];
