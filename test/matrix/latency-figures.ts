import type { Latency } from './matrix-run.js';
import type { Round } from './loads.js';

/** Points of a distribution. */
const POINTS = 120;

/** What a JSON needs of a figure. */
export const rounded = (value: number): number => Number(value.toPrecision(4));

/** A distribution in few points: all of its upper end, where it says most. */
function distribution(times: readonly number[]): [ms: number, share: number][] {
  const shares = Array.from({ length: POINTS }, (_, i) => 1 - (1 - i / (POINTS - 1)) ** 2);
  return shares.map((share) => [rounded(at(times, share)), rounded(share)]);
}

/** @param times in order */
const at = (times: readonly number[], share: number): number =>
  times[Math.min(times.length - 1, Math.floor(share * times.length))] ?? 0;

type Figures = Omit<Latency, 'column' | 'topology' | 'load' | 'operation' | 'perSecond'>;

/** The figures of all rounds of one kind of calls. No errors. */
export function figuresOf(rounds: readonly Round[]): Figures {
  const each = (what: (times: readonly number[]) => number): number[] =>
    rounds.map(({ times }) => rounded(what(times)));
  const sum = (what: (round: Round) => number): number => rounds.reduce((all, round) => all + what(round), 0);
  const all = rounds.flatMap(({ times }) => times).sort((a, b) => a - b);
  const ages = rounds.flatMap((round) => round.ages).sort((a, b) => a - b);
  return {
    ...{ n: all.length, failed: sum(({ failed }) => failed) },
    ...{ p50: each((times) => at(times, 0.5)), p99: each((times) => at(times, 0.99)) },
    ...{ deviation: each(deviation), longest: each((times) => times.at(-1) ?? 0) },
    ...{ cdf: distribution(all), stale: sum(({ stale }) => stale) },
    oldestMs: rounded(Math.max(...rounds.map(({ oldestMs }) => oldestMs))),
    ageMs: ages.length === 0 ? null : { p50: rounded(at(ages, 0.5)), p99: rounded(at(ages, 0.99)) },
    wrongAges: sum(({ wrongAges }) => wrongAges),
  };
}

function deviation(times: readonly number[]): number {
  const mean = times.reduce((sum, each) => sum + each, 0) / times.length;
  return Math.sqrt(times.reduce((sum, each) => sum + (each - mean) ** 2, 0) / times.length);
}
