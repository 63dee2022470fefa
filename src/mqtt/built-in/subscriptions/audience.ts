import type { ChangeTail } from '../../../document/change-messages.js';
import { both, minus, plus, type Few } from './few.js';
import type { GrantedFilter } from './granted-filter.js';

/** Who is subscribed to the messages of the changes of one shadow. */
export interface Audience {
  has(tail: ChangeTail): boolean;
  of(tail: ChangeTail): Few<GrantedFilter>;
}

/** Subscribers that are held. There is one for each shadow that filters name, so it is small. */
export class HeldAudience implements Audience {
  #delta: Few<GrantedFilter> = null;
  #documents: Few<GrantedFilter> = null;
  #updated: Few<GrantedFilter> = null;
  #deleted: Few<GrantedFilter> = null;

  get isEmpty(): boolean {
    return this.#updated === null && this.#delta === null && this.#documents === null && this.#deleted === null;
  }

  has(tail: ChangeTail): boolean {
    return this.of(tail) !== null;
  }

  of(tail: ChangeTail): Few<GrantedFilter> {
    switch (tail) {
      case 'update/delta':
        return this.#delta;
      case 'update/documents':
        return this.#documents;
      case 'update/accepted':
        return this.#updated;
      case 'delete/accepted':
        return this.#deleted;
    }
  }

  add(tails: readonly ChangeTail[], granted: GrantedFilter): void {
    for (const tail of tails) this.#set(tail, plus(this.of(tail), granted));
  }

  remove(tails: readonly ChangeTail[], granted: GrantedFilter): void {
    for (const tail of tails) this.#set(tail, minus(this.of(tail), granted));
  }

  #set(tail: ChangeTail, subscribers: Few<GrantedFilter>): void {
    switch (tail) {
      case 'update/delta':
        this.#delta = subscribers;
        break;
      case 'update/documents':
        this.#documents = subscribers;
        break;
      case 'update/accepted':
        this.#updated = subscribers;
        break;
      case 'delete/accepted':
        this.#deleted = subscribers;
    }
  }
}

class JoinedAudience implements Audience {
  constructor(
    private readonly one: Audience,
    private readonly other: Audience,
  ) {}

  has(tail: ChangeTail): boolean {
    return this.one.has(tail) || this.other.has(tail);
  }

  of(tail: ChangeTail): Few<GrantedFilter> {
    return both(this.one.of(tail), this.other.of(tail));
  }
}

/** The subscribers of both; they have none in common. null: there are none. */
export function join(one: Audience | null, other: Audience | null): Audience | null {
  return one === null || other === null ? (one ?? other) : new JoinedAudience(one, other);
}
