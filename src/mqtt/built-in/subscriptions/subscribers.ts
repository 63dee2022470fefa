import type { Session } from '../sessions/session.js';
import type { GrantedFilter } from './granted-filter.js';
import { TopicTree } from './topic-tree.js';
import { WatchedThings } from './watched-things.js';

/** @param qos the highest of the filters that match (MQTT-3.3.4-2) @param identifiers null: none of them has one */
export type Deliver = (session: Session, qos: 0 | 1, identifiers: readonly number[] | null) => void;

/**
 * Which session is subscribed to what. A message is handed to every session at once, and none of them is waited for: what
 * a slow one leaves waiting is bounded where it waits.
 */
export class Subscribers {
  readonly #tree = new TopicTree<GrantedFilter>();
  readonly #things = new WatchedThings();

  add(granted: GrantedFilter): void {
    this.#tree.add(granted.filter, granted);
    this.#things.add(granted.filter);
  }

  remove(granted: GrantedFilter): void {
    this.#tree.remove(granted.filter, granted);
    this.#things.remove(granted.filter);
  }

  /** Whether a topic of the thing may have a subscriber, in one look-up; false is certain. */
  mayHave(thing: string): boolean {
    return this.#things.may(thing);
  }

  /** Whether the topic has a subscriber. To be called before a message is built. */
  has(topic: string): boolean {
    return this.#tree.has(topic);
  }

  /** Calls `deliver` once for each session, however many of its filters match. @param sender for No Local */
  each(topic: string, sender: string | undefined, deliver: Deliver): void {
    let first: GrantedFilter | null = null;
    let more: GrantedFilter[] | null = null;
    this.#tree.some(topic, (granted) => {
      if (granted.noLocal && granted.session.id === sender) return false;
      if (first === null) first = granted;
      else (more ??= [first]).push(granted);
      return false;
    });
    if (more !== null) deliverOnce(more, deliver);
    else if (first !== null) deliverOne(first, deliver);
  }
}

function deliverOne({ session, qos, identifier }: GrantedFilter, deliver: Deliver): void {
  deliver(session, qos, identifier === 0 ? null : [identifier]);
}

function deliverOnce(all: readonly GrantedFilter[], deliver: Deliver): void {
  const bySession = new Map<Session, GrantedFilter | GrantedFilter[]>();
  for (const granted of all) {
    const before = bySession.get(granted.session);
    if (before === undefined) bySession.set(granted.session, granted);
    else if (Array.isArray(before)) before.push(granted);
    else bySession.set(granted.session, [before, granted]);
  }
  for (const [session, matches] of bySession) {
    if (!Array.isArray(matches)) deliverOne(matches, deliver);
    else {
      const identifiers = matches.flatMap(({ identifier }) => (identifier === 0 ? [] : [identifier]));
      const qos = matches.some(({ qos: each }) => each === 1) ? 1 : 0;
      deliver(session, qos, identifiers.length === 0 ? null : identifiers);
    }
  }
}
