import type { Leaving } from '../../../telemetry/mqtt-metrics.js';
import { REASON } from '../packets/reason-codes.js';

const BY_REASON = new Map<number | null, Leaving>([
  [null, 'network'],
  [REASON.success, 'client'],
  [REASON.keepAliveTimeout, 'keepalive'],
  [REASON.quotaExceeded, 'too_slow'],
  [REASON.sessionTakenOver, 'taken_over'],
  [REASON.notAuthorized, 'denied'],
  [REASON.administrativeAction, 'denied'],
  [REASON.messageRateTooHigh, 'denied'],
  [REASON.serverShuttingDown, 'drain'],
  [REASON.useAnotherServer, 'moved'],
  [REASON.unspecified, 'failed'],
]);

/**
 * As what the end of a connection is counted.
 * @param reason with which it was ended; success: its client has ended it; null: the network has
 */
export const leavingOf = (reason: number | null): Leaving => BY_REASON.get(reason) ?? 'protocol';
