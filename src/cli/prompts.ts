import { confirm, isCancel, password, text } from '@clack/prompts';
import type { Prompts } from './surroundings.js';

/** Asks on stderr, so that stdout has nothing but answers. When the signal aborts, the person has given up. No errors. */
export function promptsUntil(signal: AbortSignal): Prompts {
  const how = { output: process.stderr, signal };
  return {
    async secret(message) {
      const answer = await password({ message, ...how });
      return isCancel(answer) ? null : answer;
    },
    async text(message, initialValue) {
      const answer = await text({ message, initialValue, ...how });
      return isCancel(answer) ? null : answer;
    },
    async confirm(message) {
      const answer = await confirm({ message, initialValue: false, ...how });
      return isCancel(answer) ? null : answer;
    },
  };
}
