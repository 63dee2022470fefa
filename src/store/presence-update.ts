import { hashOf } from './name-hash.js';
import type { Position } from './position.js';
import { readRecord, type PresenceRecord } from './presence-record.js';
import type { FeedRecord } from './shadow-feed.js';

/** In the place of the name of a shadow in the key of a record of presence: no shadow can be called so. */
export const PRESENCE = '.presence';

/**
 * A record of presence among the records of the feed: that of the client whose identifier is the name of a thing. It has
 * no document, so readers get it only if their filter asks for it.
 */
export class PresenceUpdate implements FeedRecord {
  readonly key: { readonly tenant: string; readonly thing: string; readonly name: typeof PRESENCE };
  readonly thingHash: number;
  /** Bytes of the record in the store. */
  readonly bytes: number;
  #value: Buffer | null;
  #presence: PresenceRecord | null = null;

  /** @param value of the key in the store; parsed when somebody looks at it for the first time */
  constructor(
    tenant: string,
    thing: string,
    readonly position: Position,
    value: Buffer,
  ) {
    this.key = { tenant, thing, name: PRESENCE };
    this.thingHash = hashOf(thing);
    this.bytes = value.length;
    this.#value = value;
  }

  get isReadable(): boolean {
    return this.#look() !== null;
  }

  /** @throws Error when the value is no record: ask isReadable first */
  get presence(): PresenceRecord {
    const found = this.#look();
    if (!found) throw new Error('the value in the store is not a record of presence: ask isReadable first');
    return found;
  }

  /** @throws Error always */
  get state(): never {
    throw new Error('a record of presence has no document');
  }

  /** @throws Error always */
  get change(): never {
    throw new Error('a record of presence has no change');
  }

  #look(): PresenceRecord | null {
    if (this.#value !== null) {
      this.#presence = readRecord(this.#value.toString());
      // Its bytes lie with those of a whole revision: one record must not keep them all in memory.
      this.#value = null;
    }
    return this.#presence;
  }
}
