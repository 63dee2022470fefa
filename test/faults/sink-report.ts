import type { SinkHistory } from './model/sink-history.js';
import { percentile, say } from './report.js';
import type { HandOver, SinkVerdict } from './validate/sinks.js';
import { groupBy } from './validate/findings.js';

/** What a run with sinks has measured. */
export function tellSinks(
  history: SinkHistory,
  { handOvers, repeats, longestRepeatMs }: SinkVerdict,
  { takeover }: { readonly takeover: number },
): void {
  const count = (outcome: string): number => history.writes.filter((write) => write.outcome === outcome).length;
  const arrived = history.sinks.map((sink) => {
    const all = history.deliveries.get(sink)?.length ?? 0;
    return `${sink} ${all} (${repeats.get(sink) ?? 0} again)`;
  });
  say(
    `sinks ${count('acked')} acked, ${count('maybe')} in doubt; arrived: ${arrived.join(', ')}; ` +
      `again after ${longestRepeatMs} ms at most; ${history.cacheReads} documents read from the cache`,
  );
  const free = handOvers.filter(({ isHindered }) => !isHindered);
  say(
    `hand-over (takeover after ${takeover} s of silence): ${history.losses.length} losses of an owner, ` +
      `${handOvers.length} shards; ${handOvers.length - free.length} while the server was away, not counted`,
  );
  // An owner that drains hands over by itself; the others are missed first.
  line(
    '  lost owners',
    free.filter(({ kind }) => kind !== 'owner drained'),
  );
  for (const [kind, list] of groupBy(free, (each) => each.kind)) line(`  ${kind}`, list);
  for (const [sink, list] of groupBy(free, (each) => each.sink)) line(`  ${sink}`, list);
}

function line(name: string, handOvers: readonly HandOver[]): void {
  const times = handOvers.map(({ ms }) => ms);
  if (times.length === 0) return;
  const [p50, p99] = [percentile(times, 0.5), percentile(times, 0.99)];
  say(`${name}: p50 ${p50} ms, p99 ${p99} ms, at most ${Math.max(...times)} ms, n=${times.length}`);
}
