import type { Authorizer } from '../../../access/authorizer.js';
import type { MqttConfig } from '../../../config/config.js';
import { ERROR_TABLE } from '../../../errors/error-table.js';
import type { Connection } from '../connections/connection.js';
import type { Subscription } from '../packets/packet.js';
import { ProtocolError } from '../packets/protocol-error.js';
import { REASON } from '../packets/reason-codes.js';
import type { Session } from '../sessions/session.js';
import type { SessionStore } from '../sessions/session-store.js';
import { GrantedFilter } from '../subscriptions/granted-filter.js';
import { canMatchPresenceTopic, canMatchShadowTopic } from '../subscriptions/topic-filter.js';

const SHARED = '$share/';

/**
 * What clients may subscribe to: filters that can match a topic of shadows, or of presence where the node tells it. Others
 * fail in the SUBACK, each on its own.
 */
export class SubscribeGate {
  constructor(
    private readonly config: Pick<MqttConfig, 'maxSubscriptions'>,
    private readonly sessions: SessionStore,
    private readonly authorizer: Authorizer,
    private readonly tellsPresence: boolean,
  ) {}

  /** The reason code of the SUBACK. @param identifier 0: none */
  subscribe(connection: Connection, session: Session, subscription: Subscription, identifier: number): number {
    const reason = this.#decide(session, subscription, identifier);
    if (reason > REASON.grantedQos1) {
      const code = reason === REASON.notAuthorized ? ERROR_TABLE.notAllowed.code : undefined;
      connection.refused('subscribe', subscription.filter, NAMES.get(reason) ?? 'filter', code);
    }
    return reason;
  }

  /** Whether policies let the session have this filter: it is asked for as a text, wildcards included, as on AWS. */
  admits({ principal, id: clientId, address }: Session, filter: string): boolean {
    const { authorizer } = this;
    if (!authorizer.isRequired) return true;
    return authorizer.allows(principal, 'iot:Subscribe', `topicfilter/${filter}`, { clientId, address });
  }

  #decide(session: Session, { filter, qos, noLocal }: Subscription, identifier: number): number {
    if (filter.startsWith(SHARED)) {
      if (noLocal) throw new ProtocolError(REASON.protocolError, 'No Local on a shared subscription');
      return REASON.sharedSubscriptionsNotSupported;
    }
    if (!this.#canMatch(filter) || !this.admits(session, filter)) return REASON.notAuthorized;
    if (session.granted.length >= this.config.maxSubscriptions && session.grantedFor(filter) === undefined)
      return REASON.quotaExceeded;
    // There is no QoS 2 here: the highest that can be granted is 1 (MQTT-3.9.3).
    const granted = new GrantedFilter(session, filter, qos === 0 ? 0 : 1, noLocal, identifier);
    if (!this.sessions.subscribe(granted)) return REASON.quotaExceeded;
    return granted.qos;
  }

  #canMatch(filter: string): boolean {
    return canMatchShadowTopic(filter) || (this.tellsPresence && canMatchPresenceTopic(filter));
  }
}

const NAMES = new Map<number, string>([
  [REASON.sharedSubscriptionsNotSupported, 'shared'],
  [REASON.notAuthorized, 'no-shadow-topic'],
  [REASON.quotaExceeded, 'too-many'],
]);
