import { ERROR_TABLE } from '../../../errors/error-table.js';
import type { Acknowledgement } from '../../request-queue.js';
import { REASON } from '../packets/reason-codes.js';
import type { Chain } from './chain.js';
import type { Connection } from './connection.js';
import type { Door } from './door.js';
import type { IncomingRequest } from './incoming-request.js';

/** Acknowledges the requests whose turn it is: in the order of arrival, up to the first one that has not ended. */
export function acknowledgeSettled(connection: Connection, door: Door, requests: Chain<IncomingRequest>): void {
  for (let first = requests.first; first !== null && first.outcome !== null; first = requests.first) {
    requests.shift();
    acknowledge(connection, door, first, first.outcome);
  }
}

/** Says to the client how its request ended. */
function acknowledge(connection: Connection, door: Door, request: IncomingRequest, how: Acknowledgement): void {
  // The node is closing: without a PUBACK the client sends it again to another node.
  if (how === 'unanswered') return;
  if (how === 'unpublishable') return refuse(connection, request);
  if (how === 'withheld' && request.qos > 0) {
    const { clientId } = connection;
    door.logger.warn({ clientId, reason: 'outcome-unknown' }, 'connection closed without PUBACK');
    return connection.end(REASON.unspecified, 'outcome unknown');
  }
  if (how !== 'excessive' && request.isForwarded && request.route.request?.problem === null) door.forward(request);
  if (request.qos > 0) connection.reply(request);
}

/** MQTT 5 gets PUBACK 135 and stays; MQTT 3.1.1 has no such answer, so its connection is closed, as on AWS. */
function refuse(connection: Connection, request: IncomingRequest): void {
  const { topic } = request.route;
  const { refusal } = request;
  if (refusal !== null) connection.refused('publish', topic, refusal.code, refusal.authCode);
  else if (request.route.request === null) connection.refused('publish', topic, 'no-request-topic');
  else connection.refused('publish', topic, 'not-allowed', ERROR_TABLE.notAllowed.code);
  const knowsReasons = connection.outbox.level === 5;
  // A token that is refused now is refused whenever it comes again, which without a PUBACK it would.
  if (request.qos > 0 && (knowsReasons || refusal !== null)) connection.reply(request);
  if (!knowsReasons) connection.end(REASON.notAuthorized, 'publishing to this topic is not allowed');
}
