import type { ChangeRecord, ShadowState } from '../../../document/shadow-document.js';
import type { Position } from '../../position.js';
import type { FeedRecord } from '../../shadow-feed.js';
import type { ShadowKey } from '../../shadow-store.js';
import type { WatchEvent } from './watch-event.js';

/** The content of a record; an EtcdRecord is one. */
export interface RecordContent {
  readonly state: ShadowState;
  readonly change: ChangeRecord;
}

/** What makes the parts of a record when somebody looks at them. */
export interface RecordSource {
  /** The shadow that the key of the event names. It never throws. */
  key(event: WatchEvent): ShadowKey;
  /** The content of a put; null, with a line in the log, when it is no record. It never throws. */
  content(event: WatchEvent, key: ShadowKey): RecordContent | null;
}

/** A record that the node knows without parsing. */
export type KnownRecord = RecordContent & { readonly key?: ShadowKey | undefined };

/**
 * A record as the watch brought it. Its key and its content are made when somebody looks at them for the first time, and
 * at most once.
 */
export class StoredRecord implements FeedRecord {
  /** Bytes of the record in the store. */
  readonly bytes: number;
  #event: WatchEvent | null;
  #key: ShadowKey | null;
  #content: RecordContent | null;

  /** @param known null: the node does not know the record */
  constructor(
    readonly position: Position,
    readonly thingHash: number,
    event: WatchEvent,
    private readonly source: RecordSource,
    known: KnownRecord | null = null,
  ) {
    this.bytes = event.size;
    this.#event = event;
    this.#key = known?.key ?? null;
    this.#content = known;
  }

  get key(): ShadowKey {
    return this.#key ?? (this.#key = this.source.key(this.#event!));
  }

  keep(): void {
    if (this.#content !== null) this.#release();
  }

  get isReadable(): boolean {
    return this.#look() !== null;
  }

  /** @throws Error when the value is no record */
  get state(): ShadowState {
    return this.#read().state;
  }

  /** @throws Error when the value is no record */
  get change(): ChangeRecord {
    return this.#read().change;
  }

  #look(): RecordContent | null {
    const event = this.#event;
    if (event !== null && this.#content === null) {
      this.#release();
      this.#content = this.source.content(event, this.key);
    }
    return this.#content;
  }

  /** Its bytes lie with those of a whole revision: one parsed record must not keep them all in memory. */
  #release(): void {
    this.#key = this.key;
    this.#event = null;
  }

  #read(): RecordContent {
    const content = this.#look();
    if (!content) throw new Error('the value in the store is not a shadow record: ask isReadable first');
    return content;
  }
}
