import type { Session } from '../sessions/session.js';
import { isSeveral, type Few, type Several } from './few.js';
import type { GrantedFilter } from './granted-filter.js';

/** @param qos the highest of the filters that match (MQTT-3.3.4-2) @param identifiers null: none of them has one */
export type Deliver = (session: Session, qos: 0 | 1, identifiers: readonly number[] | null) => void;

/** Up to so many filters are compared with one another; more need a Map of their sessions. */
const A_FEW = 8;

/**
 * Calls `deliver` once for each session, however many of its filters match. None of them is waited for: what a slow one
 * leaves waiting is bounded where it waits.
 * @param sender for No Local; undefined: no client
 */
export function eachSession(subscribers: Few<GrantedFilter>, sender: string | undefined, deliver: Deliver): void {
  if (subscribers === null) return;
  if (!isSeveral(subscribers)) {
    if (isFor(subscribers, sender)) deliver(subscribers.session, subscribers.qos, identifiersOf(subscribers));
    return;
  }
  const all = sender === undefined ? subscribers : [...subscribers].filter((each) => isFor(each, sender));
  if (Array.isArray(all) && all.length <= A_FEW) eachOfFew(all as readonly GrantedFilter[], deliver);
  else eachOfMany(all, deliver);
}

export function isFor({ noLocal, session }: GrantedFilter, sender: string | undefined): boolean {
  return !noLocal || session.id !== sender;
}

export function identifiersOf({ identifier }: GrantedFilter): readonly number[] | null {
  return identifier === 0 ? null : [identifier];
}

function eachOfFew(all: readonly GrantedFilter[], deliver: Deliver): void {
  for (let i = 0; i < all.length; i++) {
    const granted = all[i]!;
    const { session } = granted;
    if (indexOf(session, all, 0) < i) continue;
    if (indexOf(session, all, i + 1) < 0) deliver(session, granted.qos, identifiersOf(granted));
    else
      deliverOnce(
        session,
        all.filter((each) => each.session === session),
        deliver,
      );
  }
}

/** -1: there is none. */
function indexOf(session: Session, all: readonly GrantedFilter[], from: number): number {
  for (let i = from; i < all.length; i++) if (all[i]!.session === session) return i;
  return -1;
}

function eachOfMany(all: Several<GrantedFilter>, deliver: Deliver): void {
  const bySession = new Map<Session, GrantedFilter | GrantedFilter[]>();
  for (const granted of all) {
    const before = bySession.get(granted.session);
    if (before === undefined) bySession.set(granted.session, granted);
    else if (Array.isArray(before)) before.push(granted);
    else bySession.set(granted.session, [before, granted]);
  }
  for (const [session, matches] of bySession) {
    if (Array.isArray(matches)) deliverOnce(session, matches, deliver);
    else deliver(session, matches.qos, identifiersOf(matches));
  }
}

function deliverOnce(session: Session, matches: readonly GrantedFilter[], deliver: Deliver): void {
  const identifiers = matches.flatMap(({ identifier }) => (identifier === 0 ? [] : [identifier]));
  const qos = matches.some(({ qos: each }) => each === 1) ? 1 : 0;
  deliver(session, qos, identifiers.length === 0 ? null : identifiers);
}
