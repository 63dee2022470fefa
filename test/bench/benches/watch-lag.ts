import { SYSTEM_CLOCK } from '../../../src/resilience/clock.js';
import { openEtcdStorage } from '../../../src/store/etcd/open-etcd.js';
import { loadConfig } from '../../../src/config/load-config.js';
import type { ShadowStore } from '../../../src/store/shadow-store.js';
import { SILENT_LOGGER } from '../../../src/telemetry/logger.js';
import type { Lab } from '../lab.js';
import { Helper } from '../load/helper.js';
import { openLoop } from '../load/open-loop.js';
import { median, spread } from '../statistics.js';
import { atMost, row, type Result } from '../result.js';
import { change } from './store.js';

const RATE = 10_000;
const SHADOWS = 2000;
/** Share of a round that warms up and does not count. */
const WARM = 0.25;

interface Round {
  readonly commit: number;
  readonly feed: number;
  readonly perSecond: number;
}

/** From the moment at which an update was due until the feed of another process tells it, against the time until its commit. */
export async function watchLag(lab: Lab): Promise<Result> {
  const etcd = await lab.etcd();
  const environment = { UMBRA_ETCD_ENDPOINTS: etcd.endpoint, UMBRA_ETCD_PREFIX: '/lag/' };
  const writer = openEtcdStorage({
    config: loadConfig(environment),
    logger: SILENT_LOGGER,
    clock: SYSTEM_CLOCK,
  });
  lab.onEnd(() => writer.close());
  const reader = Helper.start('feed-reader');
  lab.onEnd(() => reader.stop());
  await reader.ask('follow', environment);
  const rounds: Round[] = [];
  for (let i = 0; i <= lab.scale.pairs; i++) {
    rounds.push(await round(writer.store, reader, lab.scale.seconds));
    process.stderr.write('.');
  }
  // The first warms up.
  rounds.shift();
  const of = (what: keyof Round): string => median(rounds.map((each) => each[what])).toFixed(1);
  const ratios = rounds.map(({ commit, feed }) => feed / commit);
  return {
    rows: [row('p99 until the feed tells it, over p99 until the commit, at 10,000/s', ratios, atMost(3))],
    notes: [`${of('perSecond')} updates/s carried; commit p99 ${of('commit')} ms, feed p99 ${of('feed')} ms`],
  };
}

async function round(store: ShadowStore, reader: Helper, seconds: number): Promise<Round> {
  const started = performance.timeOrigin + performance.now();
  const { p99, perSecond } = await openLoop(RATE, seconds, (i) => update(store, i));
  const told = await reader.ask<[token: number, at: number][]>('told', Math.ceil(RATE * seconds));
  const lags = told
    .filter(([token]) => token >= RATE * seconds * WARM)
    .map(([token, at]) => at - started - (token / RATE) * 1000);
  return { commit: p99, feed: spread(lags).p99, perSecond };
}

function update(store: ShadowStore, i: number): Promise<unknown> {
  const key = { tenant: 'bench', thing: `t-${i % SHADOWS}`, name: null };
  const tokened: ReturnType<typeof change> = (current) => {
    const made = change(i)(current);
    return { ...made, change: { ...made.change, clientToken: String(i) } };
  };
  return store.update(key, tokened, { deadline: performance.now() + 20_000 });
}
