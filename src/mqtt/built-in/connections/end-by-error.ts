import type { Logger } from '../../../telemetry/logger.js';
import { ProtocolError } from '../packets/protocol-error.js';
import { REASON } from '../packets/reason-codes.js';
import type { Connection } from './connection.js';

/** Ends the connection that an error comes from, with the reason of a ProtocolError. No errors. */
export function endByError(connection: Connection, logger: Logger, error: unknown): void {
  const { clientId } = connection;
  try {
    if (error instanceof ProtocolError) return connection.end(error.reason, error.message);
    logger.error({ clientId, err: error }, 'the handling of a connection failed');
    connection.end(REASON.unspecified, 'failed');
  } catch (again) {
    logger.error({ clientId, err: again }, 'the end of a connection failed');
    connection.stream.destroy();
  }
}
