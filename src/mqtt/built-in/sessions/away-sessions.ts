import type { Session } from './session.js';

/**
 * Sessions without a connection, the longest gone first, as a list that they form themselves. A Map looks at the places of
 * all that have left it before it finds its first: ends of one after the other would take ever longer.
 */
export class AwaySessions implements Iterable<Session> {
  #first: Session | null = null;
  #last: Session | null = null;

  get first(): Session | null {
    return this.#first;
  }

  /** Adds a session that is not among them. */
  add(session: Session): void {
    session.isAway = true;
    session.goneBefore = this.#last;
    if (this.#last === null) this.#first = session;
    else this.#last.goneAfter = session;
    this.#last = session;
  }

  /** Removes a session, if it is among them. */
  delete(session: Session): void {
    if (!session.isAway) return;
    const { goneBefore, goneAfter } = session;
    if (goneBefore === null) this.#first = goneAfter;
    else goneBefore.goneAfter = goneAfter;
    if (goneAfter === null) this.#last = goneBefore;
    else goneAfter.goneBefore = goneBefore;
    session.goneBefore = session.goneAfter = null;
    session.isAway = false;
  }

  /** None may come or go meanwhile. */
  *[Symbol.iterator](): IterableIterator<Session> {
    for (let at = this.#first; at !== null; at = at.goneAfter) yield at;
  }
}
