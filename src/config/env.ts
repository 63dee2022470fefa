import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { DEFAULT_LIMITS } from '../document/limits.js';
import { choice, file, flag, integer, list, optionalPort, port, text } from './variable.js';

const MIB = 1024 * 1024;
const HOUR_MS = 3_600_000;
export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

const host = (meaning: string) =>
  text({
    type: 'address or host name',
    pattern: /^[A-Za-z0-9.:_-]{1,253}$/,
    problem: 'must be one IP address or host name, without a port',
    example: '127.0.0.1',
    meaning,
  });

/**
 * Every variable that the node reads; the initial values are the defaults. Order and texts are those of
 * docs/configuration.md, which `npm run docs:configuration` writes from here.
 */
export class Env {
  @host('Address of the REST API, the streams and the health checks.')
  UMBRA_HTTP_HOST = '127.0.0.1';
  @port({ meaning: 'HTTP without TLS.', example: '8080' })
  UMBRA_HTTP_PORT = 8080;
  @optionalPort({ meaning: 'HTTP with TLS; needs UMBRA_TLS_CERT and UMBRA_TLS_KEY.', example: '8443' })
  UMBRA_HTTPS_PORT: number | null = null;
  @integer({
    min: 1024,
    max: 64 * MIB,
    unit: 'bytes',
    meaning: 'Largest request body that is read; more is answered with 413.',
  })
  UMBRA_HTTP_MAX_BODY_BYTES = MIB;

  @host('Address of the MQTT broker.')
  UMBRA_MQTT_HOST = '127.0.0.1';
  @port({ meaning: 'MQTT without TLS.', example: '1883' })
  UMBRA_MQTT_PORT = 1883;
  @optionalPort({ meaning: 'MQTT with TLS, by custom 8883; needs UMBRA_TLS_CERT and UMBRA_TLS_KEY.', example: '8883' })
  UMBRA_MQTTS_PORT: number | null = null;
  @integer({
    min: 1024,
    max: 64 * MIB,
    unit: 'bytes',
    meaning: 'Largest MQTT packet that is read; a client that sends more is cut off.',
  })
  UMBRA_MQTT_MAX_PACKET_BYTES = 256 * 1024;
  @integer({
    min: 1024,
    max: 1024 * MIB,
    unit: 'bytes',
    meaning: 'What may wait for one subscriber before it is cut off.',
  })
  UMBRA_MQTT_MAX_BACKLOG_BYTES = MIB;
  @integer({
    min: 100,
    max: HOUR_MS,
    unit: 'ms',
    meaning: 'How long a subscriber may take nothing while something waits for it.',
  })
  UMBRA_MQTT_DRAIN_TIMEOUT_MS = 10_000;
  @integer({
    min: 0,
    max: 1_000_000,
    unit: 'messages',
    meaning: 'Messages kept for one offline persistent session; the oldest go first.',
  })
  UMBRA_MQTT_MAX_SESSION_MESSAGES = 1000;
  @integer({ min: 0, max: 10_000_000, unit: 'sessions', meaning: 'Persistent sessions kept at once.' })
  UMBRA_MQTT_MAX_SESSIONS = 100_000;
  @integer({
    min: 0,
    max: 31_536_000,
    unit: 's',
    meaning: 'How long a persistent session without a connection is kept.',
  })
  UMBRA_MQTT_SESSION_SECONDS = 3600;
  @flag({
    meaning:
      'Send the current delta to whoever subscribes to update/delta or resumes a session that has it, instead of the deltas missed.',
  })
  UMBRA_MQTT_DELTA_ON_SUBSCRIBE = true;

  @file({ meaning: 'Certificate chain of this node, PEM.', example: '/etc/umbra/tls.crt' })
  UMBRA_TLS_CERT: string | null = null;
  @file({ meaning: 'Private key of UMBRA_TLS_CERT, PEM.', example: '/etc/umbra/tls.key', secret: true })
  UMBRA_TLS_KEY: string | null = null;
  @file({
    meaning: 'Authority of client certificates, PEM. With it the MQTT TLS port requires a client certificate.',
    example: '/etc/umbra/ca.crt',
  })
  UMBRA_TLS_CA: string | null = null;

  @text({
    type: 'URL',
    pattern: /^mqtts?:\/\/(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?$/,
    problem: 'must be a URL of the form mqtt://host:port or mqtts://host:port, without user and password',
    example: 'mqtts://broker.example:8883',
    defaultText: 'none',
    meaning: 'Existing MQTT broker whose devices are served too, see external-broker.md.',
  })
  UMBRA_BROKER_URL: string | null = null;
  @text({
    type: 'text',
    pattern: /^[A-Za-z0-9._-]{1,64}$/,
    problem: 'must be 1 to 64 letters, digits, ".", "_", "-"',
    example: 'umbra',
    meaning:
      'Name of this installation at the broker, the same on all its nodes and nobody else’s: its sessions, and the cursors in etcd, are kept under it.',
  })
  UMBRA_BROKER_CLIENT_ID = 'umbra';
  @text({
    type: 'text',
    pattern: /^[^\0\n]{1,256}$/,
    problem: 'must be 1 to 256 characters',
    example: 'umbra',
    defaultText: 'none',
    meaning: 'User of the broker.',
  })
  UMBRA_BROKER_USER: string | null = null;
  @text({
    type: 'text',
    pattern: /^[^\0\n]{1,1024}$/,
    problem: 'must be 1 to 1024 characters',
    example: '(the password)',
    defaultText: 'none',
    secret: true,
    meaning: 'Password of UMBRA_BROKER_USER.',
  })
  UMBRA_BROKER_PASSWORD: string | null = null;
  @file({ meaning: 'Authority of the broker, PEM.', example: '/etc/umbra/broker-ca.crt' })
  UMBRA_BROKER_CA: string | null = null;
  @file({ meaning: 'Client certificate for the broker, PEM.', example: '/etc/umbra/broker.crt' })
  UMBRA_BROKER_CERT: string | null = null;
  @file({ meaning: 'Private key of UMBRA_BROKER_CERT, PEM.', example: '/etc/umbra/broker.key', secret: true })
  UMBRA_BROKER_KEY: string | null = null;
  @flag({
    meaning:
      'Let the broker divide requests among the lanes by shared subscriptions. Not with mosquitto 2.0, which delivers nothing on those below $aws.',
  })
  UMBRA_BROKER_SHARED = false;
  @integer({
    min: 1,
    max: 64,
    unit: 'sessions',
    meaning:
      'Sessions that consume requests, divided among the nodes; the same on all nodes. Without UMBRA_BROKER_SHARED each of them is sent every request.',
  })
  UMBRA_BROKER_LANES = 1;
  @integer({
    min: 1,
    max: 10_000,
    unit: 'messages',
    meaning:
      'Requests of one lane, and changes of one node, on their way at once; more wait at the broker and in etcd.',
  })
  UMBRA_BROKER_MAX_IN_FLIGHT = 1000;
  @integer({
    min: 60,
    max: 31_536_000,
    unit: 's',
    meaning: 'How long the broker keeps requests while no node is connected to it.',
  })
  UMBRA_BROKER_SESSION_SECONDS = 604_800;
  @flag({
    meaning:
      'Publish update/documents on the external broker. Nobody tells whether somebody reads them, so they cost their size for every update.',
  })
  UMBRA_BROKER_DOCUMENTS = true;
  @integer({
    min: 2,
    max: 300,
    unit: 's',
    meaning: 'Silence of a node after which the others take over what it did at the external broker.',
  })
  UMBRA_BROKER_TAKEOVER_SECONDS = 5;

  @list({
    type: 'comma-separated URLs',
    each: /^https?:\/\/(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):\d{1,5}$/,
    problem: 'must be URLs of the form http://host:port or https://host:port, separated by commas',
    max: 50,
    example: 'http://etcd-0:2379,http://etcd-1:2379',
    defaultText: 'empty',
    meaning:
      'Members of the etcd to use. Empty: the node starts and supervises an etcd of its own under UMBRA_DATA_DIR.',
  })
  UMBRA_ETCD_ENDPOINTS: string[] = [];
  @file({ meaning: 'Authority of the etcd servers, PEM.', example: '/etc/umbra/etcd-ca.crt' })
  UMBRA_ETCD_CA: string | null = null;
  @file({ meaning: 'Client certificate for etcd, PEM.', example: '/etc/umbra/etcd.crt' })
  UMBRA_ETCD_CERT: string | null = null;
  @file({ meaning: 'Private key of UMBRA_ETCD_CERT, PEM.', example: '/etc/umbra/etcd.key', secret: true })
  UMBRA_ETCD_KEY: string | null = null;
  @text({
    type: 'text',
    pattern: /^[^\0\n]{1,256}$/,
    problem: 'must be 1 to 256 characters',
    example: 'umbra',
    defaultText: 'none',
    meaning: 'User of etcd; needs UMBRA_ETCD_PASSWORD.',
  })
  UMBRA_ETCD_USER: string | null = null;
  @text({
    type: 'text',
    pattern: /^[^\0\n]{1,1024}$/,
    problem: 'must be 1 to 1024 characters',
    example: '(the password)',
    defaultText: 'none',
    secret: true,
    meaning: 'Password of UMBRA_ETCD_USER.',
  })
  UMBRA_ETCD_PASSWORD: string | null = null;
  @text({
    type: 'text',
    pattern: /^\/([A-Za-z0-9._-]{1,64}\/){1,8}$/,
    problem: 'must start and end with "/" and have 1 to 8 parts of letters, digits, ".", "_", "-" between',
    example: '/umbra/v1/',
    meaning: 'Prefix of every key. Services with different prefixes can share one etcd.',
  })
  UMBRA_ETCD_PREFIX = '/umbra/v1/';
  @integer({
    min: MIB,
    max: 1024 ** 4,
    unit: 'bytes',
    meaning:
      'Size of the etcd database at which updates are refused (reads and deletes go on); keep it below --quota-backend-bytes of the servers.',
  })
  UMBRA_ETCD_QUOTA_BYTES = Math.floor(8 * 1024 ** 3 * 0.95);
  @integer({
    min: 50,
    max: 60_000,
    unit: 'ms',
    meaning: 'Deadline of one call to one etcd member; then the next one is tried.',
  })
  UMBRA_ETCD_CALL_TIMEOUT_MS = 1000;

  @integer({ min: 0, max: 10_000_000, unit: 'records', meaning: 'Changes kept in memory for readers that resume.' })
  UMBRA_WATCH_HISTORY_RECORDS = 10_000;
  @integer({
    min: 1,
    max: 10_000_000,
    unit: 'records',
    meaning: 'Changes that may wait for one reader before it is ended as too slow.',
  })
  UMBRA_WATCH_MAX_QUEUED = 5000;
  @integer({ min: 1, max: 10_000_000, unit: 'readers', meaning: 'Watch streams at once.' })
  UMBRA_WATCH_MAX_SUBSCRIPTIONS = 10_000;
  @integer({ min: 100, max: HOUR_MS, unit: 'ms', meaning: 'Time between bookmarks on an idle stream.' })
  UMBRA_WATCH_BOOKMARK_MS = 5000;

  @text({
    type: 'text',
    pattern: /^[A-Za-z0-9._-]{1,128}$/,
    problem: 'must be 1 to 128 letters, digits, ".", "_", "-"',
    example: 'umbra-1',
    defaultText: 'host name and a random number',
    meaning: 'Name of this node in logs and metrics; no two nodes may have the same.',
  })
  UMBRA_NODE_ID: string | null = null;
  @text({
    type: 'path',
    pattern: /^[^\0\n]{1,4096}$/,
    problem: 'must be the path of a folder',
    example: './data',
    meaning: 'Folder for everything that the node keeps on disk.',
  })
  UMBRA_DATA_DIR = './data';
  @integer({
    min: 256,
    max: 128 * 1024,
    unit: 'bytes',
    meaning: 'Largest document: compact JSON of desired and reported together. Above 8192 it is larger than on AWS.',
  })
  UMBRA_MAX_DOCUMENT_BYTES = DEFAULT_LIMITS.maxDocumentBytes;
  @integer({ min: 1, max: 100, unit: 'levels', meaning: 'Deepest nesting inside desired or reported.' })
  UMBRA_MAX_DEPTH = DEFAULT_LIMITS.maxDepth;
  @integer({ min: 1, max: 1024, unit: 'bytes', meaning: 'Longest client token, in UTF-8.' })
  UMBRA_MAX_CLIENT_TOKEN_BYTES = DEFAULT_LIMITS.maxClientTokenBytes;
  @integer({ min: 1024, max: 512 * 1024, unit: 'bytes', meaning: 'Largest update as it is sent, before it is merged.' })
  UMBRA_MAX_REQUEST_BYTES = DEFAULT_LIMITS.maxRequestBytes;
  @integer({ min: 100, max: 300_000, unit: 'ms', meaning: 'Time from the arrival of a request to its answer.' })
  UMBRA_REQUEST_TIMEOUT_MS = 5000;
  @integer({
    min: 1,
    max: 1_000_000,
    unit: 'changes',
    meaning: 'Changes of one shadow that may wait for their turn; more are answered with 429.',
  })
  UMBRA_MAX_QUEUED_PER_SHADOW = 1000;
  @integer({ min: 0, max: 100_000_000, unit: 'shadows', meaning: 'Shadows whose last known record is kept in memory.' })
  UMBRA_CACHE_ENTRIES = 100_000;
  @integer({
    min: 0,
    max: 600_000,
    unit: 'ms',
    meaning: 'Time for finishing what is in flight after SIGTERM or Ctrl-C.',
  })
  UMBRA_DRAIN_TIMEOUT_MS = 10_000;
  @choice(LOG_LEVELS, {
    meaning: 'Least severe lines that are logged. Payloads of devices are never logged at info and above.',
    example: 'info',
  })
  UMBRA_LOG_LEVEL: (typeof LOG_LEVELS)[number] = 'info';
  @flag({
    meaning:
      'Listen on other addresses than loopback although the node does not ask who is there. Only behind a firewall or inside a container network.',
  })
  UMBRA_INSECURE = false;
}

/**
 * The environment, with `.env` of the working directory below it: what is set in both counts as in the environment.
 * The only reader of process.env.
 * @throws Error of node:fs when there is a `.env` that cannot be read
 */
export function readEnvironment(): Record<string, string | undefined> {
  let file = '';
  try {
    file = readFileSync('.env', 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  // process.loadEnvFile() parses the same, but hands the secrets of the file on to every child of the node.
  return { ...parseEnv(file), ...process.env };
}
