import type { LogLevel } from '../telemetry/logger.js';
import type { Limits } from '../document/limits.js';

/** Files in PEM form; paths, read once at start. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  /** Authority of client certificates; with it a client certificate is required on the MQTT TLS port. */
  readonly ca: string | null;
}

export interface HttpConfig {
  readonly host: string;
  /** 0 means any free port, here and below. */
  readonly port: number;
  /** null means off, here and below. */
  readonly tlsPort: number | null;
  /** Bytes of a request body that are read before the answer is 413. */
  readonly maxBodyBytes: number;
}

export interface MqttConfig {
  readonly host: string;
  readonly port: number;
  readonly tlsPort: number | null;
  /** Bytes of the largest packet that is read. */
  readonly maxPacketBytes: number;
  /** Bytes that may wait in the process for one subscriber before it is cut off. */
  readonly maxBacklogBytes: number;
  /** Milliseconds for which a subscriber may take nothing while something waits for it. */
  readonly drainTimeoutMs: number;
  /** Messages kept for one offline persistent session; the oldest go first. */
  readonly maxSessionMessages: number;
  /** Persistent sessions kept at once. */
  readonly maxSessions: number;
  /** Seconds that a session without a connection is kept. */
  readonly sessionSeconds: number;
  /** On subscribing to update/delta and on resuming a session that has it, send the current delta, not a backlog. */
  readonly deltaOnSubscribe: boolean;
}

/** An MQTT broker of others, whose devices are served beside those of the built-in one. */
export interface BrokerConfig {
  /** mqtt:// or mqtts://, without user and password. */
  readonly url: string;
  /** Names this installation at the broker; its sessions are called `{clientId}-lane-{n}`. */
  readonly clientId: string;
  readonly user: string | null;
  readonly password: string | null;
  readonly tls: { readonly ca: string | null; readonly cert: string | null; readonly key: string | null };
  /** The broker divides requests among the lanes ($share); else each lane takes those of its buckets. */
  readonly shared: boolean;
  /** Sessions that consume requests, divided among the nodes. */
  readonly lanes: number;
  /** Requests of one lane, and changes of the whole node, that may be on their way at once. */
  readonly maxInFlight: number;
  /** Seconds for which the broker keeps requests while no node is connected. */
  readonly sessionSeconds: number;
  /** Publish update/documents too. */
  readonly documents: boolean;
  /** Seconds after which the work of a silent node goes to the others. */
  readonly takeoverSeconds: number;
}

export interface EtcdConfig {
  /** Empty: the node starts and supervises a local etcd. */
  readonly endpoints: readonly string[];
  readonly tls: { readonly ca: string | null; readonly cert: string | null; readonly key: string | null };
  readonly user: string | null;
  readonly password: string | null;
  /** Ends with a slash. */
  readonly prefix: string;
  /** Bytes at which updates are refused, below the quota of the servers themselves. */
  readonly quotaBytes: number;
  /** Milliseconds for one call to one member. */
  readonly callTimeoutMs: number;
}

export interface WatchConfig {
  /** Records that the ring keeps in memory for readers that resume. */
  readonly historyRecords: number;
  /** Records that may wait for one reader. */
  readonly maxQueued: number;
  /** Readers at once. */
  readonly maxSubscriptions: number;
  /** Milliseconds between bookmarks on an idle stream. */
  readonly bookmarkMs: number;
}

export interface Config {
  readonly nodeId: string;
  readonly dataDir: string;
  readonly http: HttpConfig;
  readonly mqtt: MqttConfig;
  readonly tls: TlsFiles | null;
  /** null: no external broker. */
  readonly broker: BrokerConfig | null;
  readonly etcd: EtcdConfig;
  readonly watch: WatchConfig;
  readonly limits: Limits;
  /** Milliseconds from the arrival of a request to its answer. */
  readonly requestTimeoutMs: number;
  /** Changes of one shadow that may wait for their turn. */
  readonly maxQueuedPerShadow: number;
  /** Shadows whose last known record is kept in memory as a guess. */
  readonly cacheEntries: number;
  /** Milliseconds for finishing what is in flight after SIGTERM. */
  readonly drainTimeoutMs: number;
  readonly logLevel: LogLevel;
  /** Listen on other addresses than loopback although nothing asks who is there. */
  readonly insecure: boolean;
}

/** Injection token of the Config. */
export const CONFIG = Symbol('Config');
