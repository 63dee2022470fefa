import { REASON } from '../mqtt/built-in/packets/reason-codes.js';
import type { DisconnectReason } from '../store/disconnect-reasons.js';

const BY_CODE = new Map<number, DisconnectReason>([
  [REASON.success, 'client'],
  [REASON.unspecified, 'server-error'],
  [REASON.notAuthorized, 'access-withdrawn'],
  [REASON.serverShuttingDown, 'node-stopped'],
  [REASON.useAnotherServer, 'moved'],
  [REASON.keepAliveTimeout, 'keep-alive-timeout'],
  [REASON.sessionTakenOver, 'taken-over'],
  [REASON.messageRateTooHigh, 'throttled'],
  [REASON.quotaExceeded, 'throttled'],
]);

/**
 * @param code of MQTT 5 with which the connection was ended, success when its client did; null: the network has ended it.
 * No errors.
 */
export function disconnectReason(code: number | null): DisconnectReason {
  if (code === null) return 'connection-lost';
  return BY_CODE.get(code) ?? 'client-error';
}
