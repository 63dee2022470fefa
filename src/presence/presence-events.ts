import type { MqttBroker } from '../mqtt/built-in/broker.js';
import { PRESENCE_TOPICS } from '../mqtt/topics.js';
import { DISCONNECT_REASONS } from '../store/disconnect-reasons.js';
import type { PresenceEvent } from './known-presence.js';
import { epochOf } from '../store/presence-record.js';

/** A topic has neither. AWS tells nothing of such clients either. */
const WILDCARD = /[+#]/;

/**
 * Tells the subscribers of this node of a client that has come or gone. The broker asks policies for each of them.
 * No errors.
 */
export function publishEvent(broker: Pick<MqttBroker, 'wants' | 'send'>, event: PresenceEvent): void {
  const { tenant, clientId, change } = event;
  const topic = PRESENCE_TOPICS[change] + clientId;
  if (WILDCARD.test(clientId) || !broker.wants(topic)) return;
  broker.send({ tenant, topic, payload: eventText(event) });
}

/** The JSON of AWS. No errors. */
export function eventText({ clientId, change, record, revision }: PresenceEvent): string {
  const { since, session, principal, address, ended } = record;
  const reason = ended?.reason ?? 'connection-lost';
  return JSON.stringify({
    clientId,
    timestamp: since,
    eventType: change,
    sessionIdentifier: session,
    principalIdentifier: principal,
    ...(change === 'connected'
      ? { ipAddress: address }
      : { clientInitiatedDisconnect: reason === 'client', disconnectReason: DISCONNECT_REASONS[reason] }),
    versionNumber: epochOf(record, revision),
  });
}
