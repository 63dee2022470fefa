import type { AccessDirectory } from '../directory/access-directory.js';
import type { Logger } from '../telemetry/logger.js';
import type { LiveTokenPolicy } from './tokens/live-token-policy.js';
import { problemText } from './tokens/token-policy.js';

/**
 * Puts the token policy of the directory in force, now and with each change of it, on all nodes alike. One that cannot
 * be read is said in the log, and the one before goes on. No errors.
 */
export function followTokenPolicy(directory: AccessDirectory, policy: LiveTokenPolicy, logger: Logger): void {
  directory.onChange((change) => {
    if (change !== 'all' && change.kind !== 'tokenPolicy') return;
    const problems = policy.replace(directory.get('tokenPolicy')?.record.yaml ?? null);
    if (problems.length > 0)
      logger.error({ problems: problems.map(problemText) }, 'the token policy cannot be read; the one before goes on');
  });
}
