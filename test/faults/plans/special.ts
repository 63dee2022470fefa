import type { Result } from '../run-scenario.js';
import { ACCESS, runAccess } from './access.js';
import { runClients, USUAL_CLIENTS } from './clients.js';
import { runExactness, USUAL_EXACTNESS } from './exactness.js';
import { CLIENTS, EXACTNESS, READERS, ROLLOUT, RUNTIME, TRANSACTIONS } from './plan-names.js';
import { runReaders, USUAL_READERS } from './readers.js';
import { RESTORES, runRestore } from './restore.js';
import { runRollout, SMALL_ROLLOUT } from './rollout.js';
import { runRuntime } from './runtime.js';
import { runSinks, SINK_SCENARIOS } from './sinks.js';
import { runTransactions, USUAL_TRANSACTIONS } from './transactions.js';

/** Scenarios with traffic and checks of their own, by name. */
export const SPECIAL: readonly string[] = [
  ...RESTORES,
  ...ACCESS,
  ...SINK_SCENARIOS,
  EXACTNESS,
  TRANSACTIONS,
  READERS,
  CLIENTS,
  ROLLOUT,
  RUNTIME,
];

/** @throws Error when there is none of that name */
export function runSpecial(name: string, seed: number, main?: string): Promise<Result> {
  if (SINK_SCENARIOS.includes(name)) return runSinks(name, { seed, ...(main === undefined ? {} : { main }) });
  if (name === CLIENTS) return runClients(seed, USUAL_CLIENTS, main);
  if (name === EXACTNESS) return runExactness(seed, USUAL_EXACTNESS, main);
  if (name === TRANSACTIONS) return runTransactions(seed, USUAL_TRANSACTIONS, main);
  if (name === ROLLOUT) return runRollout(seed, SMALL_ROLLOUT, main);
  if (name === RUNTIME) return runRuntime(seed, main);
  if (name === READERS) return runReaders(seed, USUAL_READERS, main);
  return ACCESS.includes(name) ? runAccess(name, seed, main) : runRestore(name, seed, main);
}
