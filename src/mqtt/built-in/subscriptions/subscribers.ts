import type { Audience } from './audience.js';
import { ChangeSubscribers } from './change-subscribers.js';
import { plus, type Few } from './few.js';
import type { GrantedFilter } from './granted-filter.js';
import { canMatchOthers, changeCover, parseChangeTopic } from './topic-filter.js';
import { TopicTree } from './topic-tree.js';

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
