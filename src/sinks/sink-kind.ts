import type { JsonObject } from '../document/shadow-document.js';
import type { Clock } from '../resilience/clock.js';
import type { ClusterKeys } from '../store/cluster-keys.js';
import type { Health } from '../telemetry/health.js';
import type { Logger } from '../telemetry/logger.js';
import type { WatchFilter } from '../watch/watch-filter.js';
import type { Sink } from './sink.js';

/** What is kept of a sink's settings. */
export interface StoredSettings {
  /** Everybody who may read the sink sees them. */
  readonly settings: JsonObject;
  /** Sealed in the store. Only the names of the members are shown. */
  readonly secrets: JsonObject;
}

export interface CheckedSettings extends StoredSettings {
  /** Settings that only the answer to this request has, such as a secret that was made. */
  readonly shown?: JsonObject;
}

export interface SettingsContext {
  readonly tenant: string;
  /** Name of the sink in its tenant. */
  readonly sink: string;
  readonly filter: WatchFilter;
  /** Of the sink that is replaced; null: it is new. */
  readonly before: StoredSettings | null;
  /** Epoch milliseconds. */
  readonly now: number;
}

/** What an open sink may use. */
export interface SinkParts {
  readonly tenant: string;
  /** Name of the sink in its tenant. */
  readonly sink: string;
  /** Another one when the sink was deleted and made again. */
  readonly id: string;
  /** Keys of this sink alone; they go with it. */
  readonly keys: ClusterKeys;
  readonly clock: Clock;
  readonly logger: Logger;
  /**
   * Whether this node may own shards, by the clock. When it may not, the signals of all readings have fired as this
   * returns. To be asked right before something is sent: sockets come before timers, so a process that was stopped for
   * longer than its lease would first send what the new owner has long sent. No errors.
   */
  isOwner(): boolean;
  /** Stops the sink on all nodes until somebody starts it again. The reason is shown. No errors. */
  pause(reason: string): void;
}

/** A sink at work on this node. */
export interface OpenSink extends Sink {
  /** Whether the other side takes what it is given. */
  readonly health: Health;
  /**
   * Ends all work. What `deliver` or `converge` still has to send stays unresolved, so that no cursor passes it.
   * Never rejects.
   */
  close(): Promise<void>;
}

/** One kind of outputs, such as NATS. */
export interface SinkKind {
  /** As `kind` names it. */
  readonly name: string;
  /**
   * Reads the settings of a request, fills in what it leaves out, and keeps secrets that it does not name.
   * @throws ServiceError invalidRequest; RecordFault, which means the same
   */
  check(given: Readonly<Record<string, unknown>>, context: SettingsContext): CheckedSettings;
  /**
   * Begins to connect, and does not wait for it. A server that cannot be reached shows in `health`.
   * @throws Error for settings that this version cannot read
   */
  open(stored: StoredSettings, parts: SinkParts): OpenSink;
}
