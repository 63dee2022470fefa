import { RememberedDecision } from '../gates/remembered-decision.js';
import type { Session } from '../sessions/session.js';
import { hasWildcard } from './topic-tree.js';

/** One filter that a session is subscribed to. */
export class GrantedFilter {
  /** It has no wildcard: it is the topic of every message that it brings. */
  readonly isTopic: boolean;
  /** That the session may receive what a filter without a wildcard brings. */
  readonly receiving = new RememberedDecision();

  constructor(
    readonly session: Session,
    readonly filter: string,
    readonly qos: 0 | 1,
    /** MQTT 5: it does not bring what its own client published. */
    readonly noLocal: boolean,
    /** MQTT 5; 0: none. */
    readonly identifier: number,
  ) {
    this.isTopic = !hasWildcard(filter);
  }
}
