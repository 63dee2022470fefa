import type { Violation } from './promises.js';

/** At most this many violations of one promise are told; one cause often shows hundreds of times. */
const MAX_TOLD = 5;

/** Notes one violation of a promise. */
export type Report = (promise: string, text: string) => void;

/** Notes them in a list. */
export function reporter(violations: Violation[]): Report {
  const counts = new Map<string, number>();
  return (promise, text) => {
    const count = (counts.get(promise) ?? 0) + 1;
    counts.set(promise, count);
    if (count <= MAX_TOLD) violations.push({ promise, text });
  };
}

export function groupBy<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group) group.push(item);
    else groups.set(key(item), [item]);
  }
  return groups;
}
