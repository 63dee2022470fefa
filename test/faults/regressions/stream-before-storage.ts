import type { Scenario } from '../plans/scenarios.js';

/**
 * A watch stream that was opened while a starting node did not know its position yet got no bookmark once it did. When
 * its connection broke before an idle moment, it had no id to resume from.
 */
export const streamBeforeStorage: Scenario = {
  name: 'a stream opened before the storage is there has no position',
  issue: 3,
  topology: { members: 1, nodes: 2, broker: 'built-in', proxied: true, timers: 'default' },
  steps: [{ fault: 'start-without-storage', after: 500, hold: 1_500 }],
  traffic: { shadows: 3, intervalMs: 50 },
};
