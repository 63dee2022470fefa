import { setTimeout as pause } from 'node:timers/promises';
import { Metrics } from '../../src/telemetry/metrics.js';
import { History } from '../faults/model/history.js';
import { until } from '../harness/until.js';
import { openEtcd } from './columns.js';
import { isWhole, leaderOf } from './faults.js';
import type { CallTimeout } from './matrix-run.js';
import type { Plan } from './plan.js';
import { startServers, type Servers, type Timers } from './servers.js';
import { longestGap } from './timeline.js';
import { NodeTraffic } from './traffic.js';

const CALL_TIMEOUTS_MS = [300, 500, 1_000];
const TIMERS: readonly Timers[] = ['default', 'fast'];
/** Milliseconds for which the leader is stopped, in turn: a disk that is slow now and then. */
const STOPS_MS = [200, 300, 400];
/** Milliseconds from one stop to the next. */
const STOP_EVERY_MS = 1_000;
const STOPS = 18;
/** Milliseconds of acknowledgements after which service is back. */
const SERVED_MS = 500;
/** Milliseconds for a new leader, for service, and for all members to be whole again. */
const SETTLE_MS = 20_000;

/** Umbra's store and one time for a call, for each of these. @throws Error when servers do not start or return */
export async function callTimeouts(plan: Plan, apart: boolean): Promise<CallTimeout[]> {
  const found: CallTimeout[] = [];
  for (const timers of TIMERS)
    for (const callTimeoutMs of CALL_TIMEOUTS_MS) {
      const one = await measureOne(timers, callTimeoutMs, plan.size.kills, apart);
      plan.say(`call timeout ${callTimeoutMs} ms, ${timers} timers: gaps ${one.gaps.join(', ')} ms`);
      found.push(one);
    }
  return found;
}

async function measureOne(timers: Timers, callTimeoutMs: number, kills: number, apart: boolean): Promise<CallTimeout> {
  const servers = await startServers({ storage: 'etcd', beside: false }, { apart, timers });
  const metrics = new Metrics();
  const column = await openEtcd({ ...servers, callTimeoutMs }, metrics);
  const history = new History();
  const traffic = new NodeTraffic(0, column, history);
  try {
    traffic.start();
    await until('writes are acknowledged', () => acknowledged(history).length > 0);
    const losses: Loss[] = [];
    for (let kill = 0; kill < kills; kill++) losses.push(await loseLeader(servers, history));
    return {
      ...{
        timers,
        callTimeoutMs,
        gaps: losses.map(({ gap }) => gap),
        elections: losses.map(({ election }) => election),
      },
      ...(await stopLeader(servers, history, () => switches(metrics))),
    };
  } finally {
    await traffic.stop();
    await column.close();
    await servers.stop();
  }
}

interface Loss {
  /** Milliseconds without an acknowledgement, and until another member led. */
  readonly gap: number;
  readonly election: number;
}

async function loseLeader(servers: Servers, history: History): Promise<Loss> {
  const leader = await present(servers);
  await pause(SERVED_MS);
  const at = performance.now();
  await servers.etcd[leader]?.kill9();
  const isOther = async (): Promise<boolean> => (await leaderOf(servers, leader)) !== null;
  await until('another member leads', isOther, SETTLE_MS);
  const election = Math.round(performance.now() - at);
  const isServed = (): boolean => acknowledged(history).filter((ack) => ack > at + election).length > 0;
  await until('writes are acknowledged again', isServed, SETTLE_MS);
  await pause(SERVED_MS);
  const gap = Math.round(longestGap(acknowledged(history), at, performance.now()).ms);
  await servers.etcd[leader]?.restart();
  await until('the members are whole again', () => isWhole(servers), SETTLE_MS);
  return { gap, election };
}

type Stopped = Pick<CallTimeout, 'stopMs' | 'stops' | 'failed' | 'writes' | 'left'>;

/** Stops the member that leads for a moment, and again: no other takes it for dead, but a call may end in doubt. */
async function stopLeader(servers: Servers, history: History, left: () => number): Promise<Stopped> {
  const from = history.updates.length;
  const leftBefore = left();
  let stopMs = 0;
  for (let stop = 0; stop < STOPS; stop++) {
    const next = pause(STOP_EVERY_MS);
    const ms = STOPS_MS[stop % STOPS_MS.length] ?? 0;
    const member = servers.etcd[await present(servers)];
    member?.pause();
    await pause(ms);
    member?.resume();
    stopMs += ms;
    await next;
  }
  const done = history.updates.slice(from).filter(({ to }) => to !== Infinity);
  const failed = done.filter(({ outcome }) => outcome !== 'acked').length;
  return { stopMs, stops: STOPS, failed, writes: done.length, left: left() - leftBefore };
}

/** The member that leads. */
const present = async (servers: Servers): Promise<number> =>
  (
    await until('a member leads', async () => {
      const leader = await leaderOf(servers);
      return leader === null ? null : { leader };
    })
  ).leader;

const acknowledged = ({ updates }: History): number[] =>
  updates
    .filter(({ outcome }) => outcome === 'acked')
    .map(({ to }) => to)
    .sort((a, b) => a - b);

const switches = ({ storage }: Metrics): number =>
  (storage.etcd.switches.samples() ?? []).reduce((sum, { value }) => sum + value, 0);
