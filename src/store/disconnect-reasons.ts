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
  /** The node has asked the client to use another one. */
  moved: 'SERVER_INITIATED_DISCONNECT',
  /** The node was killed, or was cut off from etcd for longer than its lease. */
  'node-lost': 'SERVER_ERROR',
} as const satisfies Readonly<Record<string, string>>;

export type DisconnectReason = keyof typeof DISCONNECT_REASONS;
