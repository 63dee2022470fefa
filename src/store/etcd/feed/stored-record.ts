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

/** The content of a put; null, with a line in the log, when it is no record. It never throws. */
export type ParseContent = (event: WatchEvent, key: ShadowKey) => RecordContent | null;

/** A record as the watch brought it. It is parsed when somebody looks at it for the first time, and at most once. */
export class StoredRecord implements FeedRecord {
  /** Bytes of the record in the store. */
  readonly bytes: number;
  #event: WatchEvent | null;
  #content: RecordContent | null;

  /** @param known the content, if the node knows it without parsing; null: it does not */
  constructor(
    readonly position: Position,
    readonly key: ShadowKey,
    event: WatchEvent,
    private readonly parse: ParseContent,
    known: RecordContent | null = null,
  ) {
    this.bytes = event.size;
    this.#event = event;
    this.#content = known;
  }

  keep(): void {
    if (this.#content !== null) this.#event = null;
  }

  forget(): void {
    if (this.#event !== null) this.#content = null;
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
      // Its bytes lie with those of a whole revision: one parsed record must not keep them all in memory.
      this.#event = null;
      this.#content = this.parse(event, this.key);
    }
    return this.#content;
  }

  #read(): RecordContent {
    const content = this.#look();
    if (!content) throw new Error('the value in the store is not a shadow record: ask isReadable first');
    return content;
  }
}
