/** Texts of each kind. Where one lies in memory tells on all of its times, so that each text counts once. */
export const TEXTS = 256;
/** Times of each text in a round; the middle one of them counts, whatever else the machine did meanwhile. */
const REPEATS = 9;
/** Calls that are timed at once: a clock has a cost, and a comparison takes little longer. */
const BATCH = 10;
const MIN_ROUNDS = 3;
const MAX_ROUNDS = 20;
/** Beyond it the planted comparison is told from one in constant time. */
const TOLD = 8;
/** Standard deviations beyond which a comparison gives its secret away: chance does that once in 1.7 million times. */
export const LEAK = 5;

type Compare = (shown: string) => unknown;

/** What an attacker shows. All texts have one length. */
export interface Shown {
  readonly text: string;
  /** Whether it is wrong at the end alone; else from the beginning. */
  readonly isNear: boolean;
}

/** By how many standard deviations the times of both kinds of texts differ. */
export interface TimingScores {
  readonly real: number;
  readonly planted: number;
  readonly rounds: number;
}

interface Timed {
  readonly isNear: boolean;
  readonly ns: number;
}

/**
 * Times a comparison and a planted one, which ends at the first difference, with the same texts at the same time: for as
 * long as it takes to find out the planted one. Texts and comparisons follow each other by chance, so whatever else the
 * machine does tells on all of them alike. No errors.
 * @param make new texts, in which both kinds take turns
 */
export function compareTimes(real: Compare, planted: Compare, make: () => readonly Shown[]): TimingScores {
  const compares = [real, planted];
  // The first round lets the engine compile both.
  measure(compares, make());
  const sums = [0, 0];
  let rounds = 0;
  // Stouffer: the sum of n scores of chance, divided by the root of n, is one too.
  const score = (index: 0 | 1): number => Math.abs(sums[index] ?? 0) / Math.sqrt(rounds);
  do {
    measure(compares, make()).forEach((z, index) => (sums[index] = (sums[index] ?? 0) + z));
    rounds++;
  } while (rounds < MIN_ROUNDS || (score(1) < TOLD && rounds < MAX_ROUNDS));
  return { real: score(0), planted: score(1), rounds };
}

/** The score of each comparison. */
function measure(compares: readonly Compare[], shown: readonly Shown[]): number[] {
  const tasks = compares.flatMap((compare, index) =>
    shown.map((each) => ({ ...each, compare, index, ns: [] as number[] })),
  );
  for (let repeat = 0; repeat < REPEATS; repeat++) for (const task of shuffled(tasks)) task.ns.push(timed(task));
  return compares.map((_, index) =>
    rankSum(tasks.filter((task) => task.index === index).map(({ isNear, ns }) => ({ isNear, ns: median(ns) }))),
  );
}

/** Nanoseconds. */
function timed({ compare, text }: { readonly compare: Compare; readonly text: string }): number {
  const begun = process.hrtime.bigint();
  for (let n = 0; n < BATCH; n++) compare(text);
  return Number(process.hrtime.bigint() - begun);
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1] ?? 0;

function shuffled<T>(all: readonly T[]): T[] {
  return all
    .map((each) => ({ each, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ each }) => each);
}

/**
 * The rank-sum test of Wilcoxon, Mann and Whitney: how far the ranks of one kind are from those that chance gives, in
 * standard deviations. Unlike the mean, ranks do not care how long the machine did something else.
 */
function rankSum(samples: Timed[]): number {
  samples.sort((a, b) => a.ns - b.ns);
  const all = samples.length;
  let [near, sum, ties] = [0, 0, 0];
  for (let from = 0, to = 0; from < all; from = to) {
    while (to < all && samples[to]?.ns === samples[from]?.ns) to++;
    // Those that took equally long share the mean of their ranks, which begin with 1.
    const count = samples.slice(from, to).filter(({ isNear }) => isNear).length;
    near += count;
    sum += (count * (from + to + 1)) / 2;
    ties += (to - from) ** 3 - (to - from);
  }
  const variance = ((near * (all - near)) / 12) * (all + 1 - ties / (all * (all - 1)));
  return (sum - (near * (all + 1)) / 2) / Math.sqrt(variance);
}
