import type { Scenario } from '../plans/scenarios.js';
import { streamBeforeStorage } from './stream-before-storage.js';

/** One scenario for every bug that the lab has found, named by what was wrong. */
export const REGRESSIONS: readonly Scenario[] = [streamBeforeStorage];
