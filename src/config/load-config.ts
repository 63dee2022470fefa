import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';
import { ConfigError, type ConfigProblem } from './config-error.js';
import type { Config } from './config.js';
import { crossChecks } from './cross-checks.js';
import { Env } from './env.js';
import { isLoopback } from './loopback.js';
import { nearestName } from './nearest-name.js';
import { VARIABLES } from './variable.js';

const NAMES = VARIABLES.map((variable) => variable.name);
const MAX_SHOWN = 80;
/** A variable that is not ours may have any name; a few are enough to see what is wrong. */
const MAX_UNKNOWN = 20;

type Source = Record<string, string | undefined>;

/**
 * The configuration from variables such as those of readEnvironment(). An empty variable counts as one that is not set.
 * @throws ConfigError that lists every bad variable
 */
export function loadConfig(source: Source): Config {
  // Without a value the property keeps its initial value, the default.
  const given = Object.fromEntries(NAMES.filter((name) => source[name]).map((name) => [name, source[name]]));
  const env = plainToInstance(Env, given);
  const problems = [...unknownVariables(source), ...badValues(env, source)];
  if (problems.length === 0) problems.push(...crossChecks(env));
  if (problems.length > 0) throw new ConfigError(problems);
  return toConfig(env);
}

/** What the operator should hear at every start, besides errors. */
export function configWarnings(config: Config): string[] {
  const open = [
    { name: 'UMBRA_HTTP_HOST', host: config.http.host },
    { name: 'UMBRA_MQTT_HOST', host: config.mqtt.host },
  ].filter(({ host }) => !isLoopback(host));
  if (open.length === 0) return [];
  const where = open.map(({ name, host }) => `${name}=${host}`).join(' and ');
  return [
    `UMBRA_INSECURE=true with ${where}: ANYONE who reaches this address can read, change and delete every shadow. ` +
      'Let only a firewall, a proxy that authenticates, or a container network reach it.',
  ];
}

function unknownVariables(source: Source): ConfigProblem[] {
  const unknown = Object.keys(source).filter((name) => name.startsWith('UMBRA_') && !NAMES.includes(name));
  return unknown.slice(0, MAX_UNKNOWN).map((name) => {
    const nearest = nearestName(name, NAMES);
    const advice = nearest === null ? 'remove it' : `did you mean ${nearest}?`;
    return { variable: name.slice(0, MAX_SHOWN), problem: `is not a variable of Umbra; ${advice}` };
  });
}

function badValues(env: Env, source: Source): ConfigProblem[] {
  return validateSync(env, { stopAtFirstError: true }).map(({ property, constraints }) => {
    const variable = VARIABLES.find(({ name }) => name === property);
    const shown = variable?.secret ? '' : ` is ${show(source[property] ?? '')}:`;
    const problem = Object.values(constraints ?? {})[0] ?? 'cannot be used';
    return {
      variable: property,
      problem: `${shown} ${problem}, e.g. ${property}=${variable?.example ?? ''}`.trimStart(),
    };
  });
}

/** On one line, not endless, and without the password of a URL. */
function show(value: string): string {
  const plain = value.replace(/\/\/[^@/,]*@/g, '//…@');
  return JSON.stringify(plain.length > MAX_SHOWN ? `${plain.slice(0, MAX_SHOWN)}…` : plain);
}

function toConfig(env: Env): Config {
  return {
    nodeId: env.UMBRA_NODE_ID ?? randomNodeId(),
    dataDir: resolve(env.UMBRA_DATA_DIR),
    http: {
      host: env.UMBRA_HTTP_HOST,
      port: env.UMBRA_HTTP_PORT,
      tlsPort: env.UMBRA_HTTPS_PORT,
      maxBodyBytes: env.UMBRA_HTTP_MAX_BODY_BYTES,
    },
    mqtt: {
      host: env.UMBRA_MQTT_HOST,
      port: env.UMBRA_MQTT_PORT,
      tlsPort: env.UMBRA_MQTTS_PORT,
      maxPacketBytes: env.UMBRA_MQTT_MAX_PACKET_BYTES,
      maxBacklogBytes: env.UMBRA_MQTT_MAX_BACKLOG_BYTES,
      drainTimeoutMs: env.UMBRA_MQTT_DRAIN_TIMEOUT_MS,
      maxSessionMessages: env.UMBRA_MQTT_MAX_SESSION_MESSAGES,
      maxSessions: env.UMBRA_MQTT_MAX_SESSIONS,
      sessionSeconds: env.UMBRA_MQTT_SESSION_SECONDS,
      deltaOnSubscribe: env.UMBRA_MQTT_DELTA_ON_SUBSCRIBE,
    },
    tls: tlsFiles(env),
    broker: brokerConfig(env),
    etcd: {
      endpoints: env.UMBRA_ETCD_ENDPOINTS,
      tls: { ca: env.UMBRA_ETCD_CA, cert: env.UMBRA_ETCD_CERT, key: env.UMBRA_ETCD_KEY },
      user: env.UMBRA_ETCD_USER,
      password: env.UMBRA_ETCD_PASSWORD,
      prefix: env.UMBRA_ETCD_PREFIX,
      quotaBytes: env.UMBRA_ETCD_QUOTA_BYTES,
      callTimeoutMs: env.UMBRA_ETCD_CALL_TIMEOUT_MS,
    },
    watch: {
      historyRecords: env.UMBRA_WATCH_HISTORY_RECORDS,
      maxQueued: env.UMBRA_WATCH_MAX_QUEUED,
      maxSubscriptions: env.UMBRA_WATCH_MAX_SUBSCRIPTIONS,
      bookmarkMs: env.UMBRA_WATCH_BOOKMARK_MS,
    },
    limits: {
      maxDocumentBytes: env.UMBRA_MAX_DOCUMENT_BYTES,
      maxDepth: env.UMBRA_MAX_DEPTH,
      maxClientTokenBytes: env.UMBRA_MAX_CLIENT_TOKEN_BYTES,
      maxRequestBytes: env.UMBRA_MAX_REQUEST_BYTES,
    },
    requestTimeoutMs: env.UMBRA_REQUEST_TIMEOUT_MS,
    maxQueuedPerShadow: env.UMBRA_MAX_QUEUED_PER_SHADOW,
    cacheEntries: env.UMBRA_CACHE_ENTRIES,
    drainTimeoutMs: env.UMBRA_DRAIN_TIMEOUT_MS,
    logLevel: env.UMBRA_LOG_LEVEL,
    insecure: env.UMBRA_INSECURE,
  };
}

function tlsFiles(env: Env): Config['tls'] {
  if (env.UMBRA_TLS_CERT === null || env.UMBRA_TLS_KEY === null) return null;
  return { cert: env.UMBRA_TLS_CERT, key: env.UMBRA_TLS_KEY, ca: env.UMBRA_TLS_CA };
}

function brokerConfig(env: Env): Config['broker'] {
  if (env.UMBRA_BROKER_URL === null) return null;
  return {
    url: env.UMBRA_BROKER_URL,
    clientId: env.UMBRA_BROKER_CLIENT_ID,
    user: env.UMBRA_BROKER_USER,
    password: env.UMBRA_BROKER_PASSWORD,
    tls: { ca: env.UMBRA_BROKER_CA, cert: env.UMBRA_BROKER_CERT, key: env.UMBRA_BROKER_KEY },
    shared: env.UMBRA_BROKER_SHARED,
    lanes: env.UMBRA_BROKER_LANES,
    maxInFlight: env.UMBRA_BROKER_MAX_IN_FLIGHT,
    sessionSeconds: env.UMBRA_BROKER_SESSION_SECONDS,
    documents: env.UMBRA_BROKER_DOCUMENTS,
    takeoverSeconds: env.UMBRA_BROKER_TAKEOVER_SECONDS,
  };
}

/** The host name tells people where; the number tells two nodes, or two lives of one node, apart. */
function randomNodeId(): string {
  const host =
    hostname()
      .replace(/[^A-Za-z0-9._-]/g, '-')
      .slice(0, 100) || 'node';
  return `${host}-${randomBytes(4).toString('hex')}`;
}
