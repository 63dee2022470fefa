import { REASON } from '../mqtt/built-in/packets/reason-codes.js';

/** Why a connection has ended, as records keep it. AWS has a name of its own for most of them. */
export const DISCONNECT_REASONS = {
  client: 'CLIENT_INITIATED_DISCONNECT',
  'connection-lost': 'CONNECTION_LOST',
  'keep-alive-timeout': 'MQTT_KEEP_ALIVE_TIMEOUT',
  'taken-over': 'DUPLICATE_CLIENTID',
  'access-withdrawn': 'FORBIDDEN_ACCESS',
  'client-error': 'CLIENT_ERROR',
  throttled: 'THROTTLED',
  'server-error': 'SERVER_ERROR',
  'node-stopped': 'SERVER_INITIATED_DISCONNECT',
  /** The node was killed, or was cut off from etcd for longer than its lease. */
  'node-lost': 'SERVER_ERROR',
} as const satisfies Readonly<Record<string, string>>;

export type DisconnectReason = keyof typeof DISCONNECT_REASONS;

const BY_CODE = new Map<number, DisconnectReason>([
  [REASON.success, 'client'],
  [REASON.unspecified, 'server-error'],
  [REASON.notAuthorized, 'access-withdrawn'],
  [REASON.serverShuttingDown, 'node-stopped'],
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
