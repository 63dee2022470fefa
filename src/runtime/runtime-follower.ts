import { LeasedKey } from '../cluster/leased-key.js';
import type { ClusterKeys, KeyListener, KeyUpdate, KeyWatch, StoredKey } from '../store/cluster-keys.js';
import type { Logger } from '../telemetry/logger.js';
import type { NodeMetrics } from '../telemetry/node-metrics.js';
import { reasonOf } from '../telemetry/reason.js';
import { VERSION } from '../telemetry/version.js';
import type { RuntimeDocument } from './runtime-document.js';
import {
  decodeRecord,
  LIVE,
  NODES,
  RUNTIME_PATH,
  STAGED,
  versionIn,
  type Finding,
  type NodeWord,
} from './runtime-record.js';
import type { RuntimeSettings } from './runtime-settings.js';

export interface RuntimeFollowerParts {
  /** The cluster's own keys. */
  readonly keys: ClusterKeys;
  readonly node: string;
  readonly settings: RuntimeSettings;
  readonly metrics: NodeMetrics;
  readonly logger: Logger;
}

/**
 * Puts the live document in force on this node, and says how this node finds what is staged. A document that it cannot
 * read changes nothing: the one before goes on.
 */
export class RuntimeFollower implements KeyListener {
  readonly #keys: ClusterKeys;
  readonly #word: LeasedKey;
  readonly #stop = new AbortController();
  #watch: KeyWatch | null = null;
  #staged: Finding | null = null;
  #live: Finding | null = null;
  #inForce: number | null = null;
  /** The record that is in force, as it is in etcd. */
  #text: string | null = null;

  constructor(private readonly parts: RuntimeFollowerParts) {
    this.#keys = parts.keys.under(RUNTIME_PATH);
    this.#word = new LeasedKey(this.#keys, NODES + parts.node, parts.logger);
    parts.metrics.tellOfRuntime(() => ({ live: this.#inForce ?? 0, staged: this.#staged?.version ?? 0 }));
  }

  /** Milliseconds since this node was last known to have seen everything; null: it has seen nothing yet. */
  get staleMs(): number | null {
    return this.#watch?.staleMs ?? null;
  }

  /** No errors, and nothing waits. */
  start(): void {
    this.#watch = this.#keys.watch('', this, this.#stop.signal);
  }

  /** Takes back what this node says. No errors. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#word.stop();
  }

  /** The watch calls it. No errors. */
  snapshot(keys: ReadonlyMap<string, StoredKey>): void {
    this.#lookAt(LIVE, keys.get(LIVE)?.value ?? null);
    this.#lookAt(STAGED, keys.get(STAGED)?.value ?? null);
    this.#say();
  }

  /** The watch calls it. No errors. */
  change({ key, value }: KeyUpdate): void {
    if (key !== LIVE && key !== STAGED) return;
    this.#lookAt(key, value);
    this.#say();
  }

  #lookAt(key: typeof LIVE | typeof STAGED, text: string | null): void {
    const before = key === LIVE ? this.#live : this.#staged;
    const finding = text === null ? null : this.#findingOf(key, text);
    const isNews = finding?.fault && (finding.version !== before?.version || finding.fault !== before.fault);
    if (isNews) this.#refuse(key, finding);
    if (key === STAGED) this.#staged = finding;
    else this.#live = finding;
    if (key === LIVE && text === null) this.#apply(null, null, {});
  }

  #findingOf(key: typeof LIVE | typeof STAGED, text: string): Finding {
    const version = versionIn(text);
    try {
      const { document } = decodeRecord(text);
      if (key === LIVE) this.#apply(text, version, document);
      return { version, fault: null };
    } catch (error) {
      return { version, fault: reasonOf(error) };
    }
  }

  #apply(text: string | null, version: number | null, document: RuntimeDocument): void {
    if (text === this.#text) return;
    const { logger, settings } = this.parts;
    logger.info({ version, before: this.#inForce }, 'another runtime configuration is in force');
    settings.apply(document);
    this.#inForce = version;
    this.#text = text;
  }

  #refuse(key: typeof LIVE | typeof STAGED, { version, fault }: Finding): void {
    const { logger, metrics } = this.parts;
    metrics.refusedRuntime(key);
    const fields = { version, fault, inForce: this.#inForce };
    if (key === STAGED) logger.warn(fields, 'a staged runtime configuration is refused');
    else logger.error(fields, 'the live runtime configuration cannot be read; the one before goes on');
  }

  #say(): void {
    const word: NodeWord = { software: VERSION, staged: this.#staged, live: this.#live, inForce: this.#inForce };
    this.#word.say(JSON.stringify(word));
  }
}
