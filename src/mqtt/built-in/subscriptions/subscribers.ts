import type { Audience } from './audience.js';
import { ChangeSubscribers } from './change-subscribers.js';
import { plus, type Few } from './few.js';
import type { GrantedFilter } from './granted-filter.js';
import { canMatchOthers, changeCover, parseChangeTopic } from './topic-filter.js';
import { hasWildcard, TopicTree } from './topic-tree.js';

/** Bytes that a filter takes in its session and in the index of changes, or of other topics. */
const FILTER_BYTES = 300;
/** Bytes in addition when it covers changes of named shadows. */
const NAMED_BYTES = 150;
/** Bytes of each of its levels in the tree, beside those that nearly all filters have in common. */
const LEVEL_BYTES = 250;
const COMMON_LEVELS = 2;

/**
 * Bytes of memory that a filter takes that shares nothing with others, about. Its text counts twice: it may be beyond
 * ASCII, and parts of it are keys.
 */
export function filterBytes(filter: string): number {
  const named = (changeCover(filter)?.named.length ?? 0) > 0 ? NAMED_BYTES : 0;
  const isInTree = hasWildcard(filter) && canMatchOthers(filter);
  const levels = isInTree ? filter.split('/').filter((level) => level !== '#').length - COMMON_LEVELS : 0;
  return FILTER_BYTES + named + LEVEL_BYTES * Math.max(levels, 0) + 2 * filter.length;
}

/** Which session is subscribed to what. */
export class Subscribers {
  readonly #changes = new ChangeSubscribers();
  /** Requests, and what answers them alone: such a topic is at hand as a string, and every filter that can match one is here. */
  readonly #others = new TopicTree<GrantedFilter>();

  add(granted: GrantedFilter): void {
    const { filter, isTopic } = granted;
    const cover = changeCover(filter);
    if (cover !== null) this.#changes.add(cover, granted);
    if (cover === null || (!isTopic && canMatchOthers(filter))) this.#others.add(filter, granted);
  }

  remove(granted: GrantedFilter): void {
    const { filter, isTopic } = granted;
    const cover = changeCover(filter);
    if (cover !== null) this.#changes.remove(cover, granted);
    if (cover === null || (!isTopic && canMatchOthers(filter))) this.#others.remove(filter, granted);
  }

  /** The subscribers of the changes of a shadow, in one look-up; null: there are none. */
  audienceOf(thing: string, name: string | null): Audience | null {
    return this.#changes.of(thing, name);
  }

  /** False: the changes of no thing whose name has this hash (name-hash.ts) have subscribers. No errors. */
  mayHave(thingHash: number): boolean {
    return this.#changes.mayHave(thingHash);
  }

  /** Whether the topic has a subscriber. To be called before a message is built. */
  has(topic: string): boolean {
    const change = parseChangeTopic(topic);
    if (change === null) return this.#others.has(topic);
    return this.#changes.of(change.thing, change.name)?.has(change.tail) ?? false;
  }

  of(topic: string): Few<GrantedFilter> {
    const change = parseChangeTopic(topic);
    if (change !== null) return this.#changes.of(change.thing, change.name)?.of(change.tail) ?? null;
    let found: Few<GrantedFilter> = null;
    this.#others.some(topic, (granted) => {
      found = plus(found, granted);
      return false;
    });
    return found;
  }

  get isEmpty(): boolean {
    return this.#changes.isEmpty && this.#others.isEmpty;
  }
}
