import type { Scenario } from '../scenarios.js';

/** One scenario for every bug that the lab has found, named by what was wrong. */
export const REGRESSIONS: readonly Scenario[] = [];
