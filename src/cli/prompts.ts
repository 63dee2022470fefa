import { confirm, isCancel, password, text } from '@clack/prompts';
import type { Prompts } from './surroundings.js';

/** Asks on stderr, so that stdout has nothing but answers. */
export const terminalPrompts: Prompts = {
  async secret(message) {
    const answer = await password({ message, output: process.stderr });
    return isCancel(answer) ? null : answer;
  },
  async text(message, initialValue) {
    const answer = await text({ message, initialValue, output: process.stderr });
    return isCancel(answer) ? null : answer;
  },
  async confirm(message) {
    const answer = await confirm({ message, initialValue: false, output: process.stderr });
    return isCancel(answer) ? null : answer;
  },
};
