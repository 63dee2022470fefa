import type { Platform } from '../platform.js';
import { UmbraError } from '../umbra-error.js';
import type { Link } from './call.js';

/** Statuses that programs ask for: what is not there, and conflicts. */
const EXPECTED = new Set([404, 409, 412]);

/** One line for each call. No headers, no query and no body: they may hold secrets and data of devices. */
export function log({ logger, clock }: Pick<Platform, 'logger' | 'clock'>): Link {
  return async (call, next) => {
    const start = clock.monotonic();
    const { name, method } = call;
    const path = call.path.split('?', 1)[0];
    const about = (): object => ({ call: name, method, path, ms: Math.round(clock.monotonic() - start) });
    try {
      const answer = await next(call);
      logger.debug({ ...about(), status: answer.status }, 'call answered');
      return answer;
    } catch (error) {
      const { code, status, outcome, requestId } = error instanceof UmbraError ? error : ({} as Partial<UmbraError>);
      const level = EXPECTED.has(status ?? 0) ? 'debug' : 'warn';
      logger[level]({ ...about(), code, status, outcome, requestId }, 'call failed');
      throw error;
    }
  };
}
