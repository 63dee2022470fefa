import type { Logger } from '../../../telemetry/logger.js';
import type { AedesClient, OutgoingPacket } from '../aedes/aedes-parts.js';
import { connectionOf } from '../connection.js';
import type { Session } from './session.js';

/** Messages handed over before the socket is asked again whether it took them. */
const STEP = 32;

/**
 * Sends a session's backlog on its new connection, in step with the socket. Messages that come meanwhile only join the
 * session's queue, and are sent from there in their turn, so that the order holds.
 */
export function replaySession(client: AedesClient, session: Session, logger: Logger): void {
  const connection = connectionOf(client);
  const dropped = session.takeDropped();
  if (dropped > 0)
    logger.warn({ clientId: client.id, reason: 'session-full', dropped }, 'messages of a session dropped');
  const first = session.backlog();
  if (first.length === 0) return;
  connection.replaying = true;
  // New messages must not get an identifier that is still in flight. Those were given out in order, and may have begun anew.
  const lastId = first.findLast(({ messageId }) => messageId !== undefined)?.messageId;
  if (lastId !== undefined) client._nextId = (lastId % 65_535) + 1;
  step(client, session, first);
}

function step(client: AedesClient, session: Session, backlog: OutgoingPacket[]): void {
  const batch = backlog.slice(0, STEP);
  const last = batch.at(-1);
  if (last === undefined) {
    connectionOf(client).replaying = false;
    return;
  }
  batch.forEach((packet, i) => {
    client.deliverQoS(packet, i === batch.length - 1 ? () => next() : () => {});
  });
  // aedes calls back when the socket has taken the packet, or is closed.
  const next = (): void => {
    if (client.closed) return;
    const rest = backlog.slice(STEP);
    step(client, session, rest.length > 0 ? rest : session.after(last.brokerCounter));
  };
}
