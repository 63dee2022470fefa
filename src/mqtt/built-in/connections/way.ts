import type { Way } from '../../../telemetry/mqtt-metrics.js';
import type { Connection } from './connection.js';

/** How a client is connected. */
export function wayOf({ outbox, how, stream }: Connection): Way {
  const transport = how.socket !== undefined ? 'websocket' : 'encrypted' in stream ? 'tls' : 'tcp';
  return { version: outbox.level === 5 ? '5' : '3.1.1', transport };
}
