import type { Session } from '../sessions/session.js';

/** One filter that a session is subscribed to. */
export class GrantedFilter {
  constructor(
    readonly session: Session,
    readonly filter: string,
    readonly qos: 0 | 1,
    /** MQTT 5: it does not bring what its own client published. */
    readonly noLocal: boolean,
    /** MQTT 5; 0: none. */
    readonly identifier: number,
  ) {}
}
