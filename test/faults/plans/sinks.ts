import { spawnSync } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { CacheSampler } from '../actors/cache-sampler.js';
import { ClaimsReader } from '../actors/claims-reader.js';
import { startServers, type SinkServers } from '../actors/sink-servers.js';
import { SinkWriter } from '../actors/sink-writer.js';
import {
  disturbServer,
  OWNER_FAULTS,
  SERVER_FAULTS,
  type OwnerFault,
  type ServerFault,
  type SinkStage,
} from '../faults/sink-faults.js';
import { History } from '../model/history.js';
import { SinkHistory, SINKS } from '../model/sink-history.js';
import { say } from '../report.js';
import { tellSinks } from '../sink-report.js';
import type { Result } from '../run-scenario.js';
import { Topology, type LabNode, type TopologySpec } from '../topology.js';
import { checkCache } from '../validate/sink-cache.js';
import { judgeSinks } from '../validate/sinks.js';
import { PROMISES } from '../validate/promises.js';
import { Random } from './random.js';
import { firstKey, withMasterKey } from './secured-nodes.js';

/** Milliseconds for everything that was written to arrive when all faults are over. */
const ARRIVES_MS = 120_000;
/** Milliseconds in which something could still come again. */
const ECHO_MS = 2_000;
/** Milliseconds between two readings of the streams. */
const READ_MS = 2_000;
/** Milliseconds before each fault of an owner, and of a server in a random plan. */
const BEFORE_OWNER: Range = [1_000, 4_000];
const BEFORE_SERVER: Range = [8_000, 20_000];

type Range = readonly [number, number];

/** What fails, one after the other; the two lists side by side. */
interface SinkPlan {
  readonly owners: Iterable<OwnerFault>;
  readonly servers: Iterable<ServerFault>;
  readonly beforeServer: Range;
}

export interface SinkRun {
  readonly seed: number;
  /** Of a random plan. */
  readonly minutes?: number;
  /** Writes a second. */
  readonly rate?: number;
  readonly shadows?: number;
  /** Seconds of UMBRA_SINK_TAKEOVER_SECONDS; that of the service unless given. */
  readonly takeover?: number;
  readonly main?: string;
}

const twice = <T>(faults: readonly T[]): readonly T[] => [...faults, ...faults];
const QUICK: Range = [1_000, 3_000];

const PLANS: Readonly<Record<string, SinkPlan>> = {
  'sinks: owners are lost': {
    owners: ['owner killed', 'owner stopped beyond its lease', 'owner drained', 'owner cut off from etcd'],
    ...{ servers: [], beforeServer: QUICK },
  },
  'sinks: servers are lost': {
    owners: ['owner stopped for a moment'],
    servers: twice(['killed', 'stopped', 'cut off', 'cut once'] as const),
    beforeServer: QUICK,
  },
  'sinks: owners and servers are lost together': {
    owners: twice(['owner killed while the servers are stopped', 'owner stopped, and its bytes come late'] as const),
    ...{ servers: [], beforeServer: QUICK },
  },
};

/** Of the scenarios by name, which are played on machines that do other work too. */
const LIGHT = { rate: 20, shadows: 40 };

export const SINK_SCENARIOS: readonly string[] = Object.keys(PLANS);

/** @param name one of SINK_SCENARIOS; another name is a random plan of `minutes` */
export async function runSinks(name: string, run: SinkRun): Promise<Result> {
  const about = { scenario: name, seed: run.seed, figures: null };
  const missing = ['nats-server', 'redis-server'].find((program) => spawnSync(program, ['--version']).error);
  if (missing !== undefined) return { ...about, violations: [], skipped: `needs ${missing}`, faults: [] };
  const history = new SinkHistory(SINKS);
  const random = new Random(run.seed);
  const servers = await startServers(history, random.fork('webhook'));
  try {
    return await withMasterKey(async (env) => {
      const lab = new History();
      const topology = await Topology.start(topologyOf(run, env), lab);
      try {
        const light = PLANS[name] ? LIGHT : {};
        const stage = {
          ...light,
          ...run,
          history,
          random,
          servers,
          topology,
          plan: PLANS[name] ?? randomPlan(run, random),
        };
        const last = await play(stage);
        const verdict = judgeSinks(history, last);
        tellSinks(history, verdict, { takeover: takeoverOf(run) });
        const faults = history.disturbances.map(({ what }) => what);
        return { ...about, violations: [...lab.remarks, ...verdict.violations], skipped: null, faults };
      } finally {
        await topology.stop();
      }
    });
  } finally {
    for (const { signal } of servers.faulty) signal('SIGCONT');
    await servers.stop();
  }
}

/** Seconds. */
const takeoverOf = ({ takeover = 5 }: SinkRun): number => takeover;

function topologyOf(run: SinkRun, secured: Readonly<Record<string, string>>): TopologySpec {
  const env = {
    ...secured,
    ...{ UMBRA_SINK_HOSTS: '127.0.0.1', UMBRA_SINK_ADDRESSES: '127.0.0.0/8' },
    UMBRA_SINK_TAKEOVER_SECONDS: String(takeoverOf(run)),
  };
  const usual = { members: 1, nodes: 3, broker: 'built-in', proxied: true, timers: 'default' } as const;
  return { ...usual, env, ...(run.main === undefined ? {} : { main: run.main }) };
}

function randomPlan({ minutes = 1 }: SinkRun, random: Random): SinkPlan {
  const until = performance.now() + minutes * 60_000;
  function* draw<T>(stream: Random, choices: readonly T[]): Generator<T> {
    while (performance.now() < until) yield stream.pick(choices);
  }
  return {
    owners: draw(random.fork('owners'), Object.keys(OWNER_FAULTS) as OwnerFault[]),
    servers: draw(random.fork('servers'), [...(Object.keys(SERVER_FAULTS) as ServerFault[]), 'stranded' as const]),
    beforeServer: BEFORE_SERVER,
  };
}

interface Stage extends SinkRun {
  readonly history: SinkHistory;
  readonly random: Random;
  readonly servers: SinkServers;
  readonly topology: Topology;
  readonly plan: SinkPlan;
}

/** @returns the step of the last update of each shadow */
async function play(stage: Stage): Promise<ReadonlyMap<string, number>> {
  const { history, random, servers, topology, plan, rate = 100, shadows = 200 } = stage;
  const { nodes } = topology;
  const key = await firstKey(nodes);
  await makeSinks(stage, key);
  const claims = new ClaimsReader(history, topology.members[0]!);
  await claims.start();
  const away = new Set<LabNode>();
  const serves = (node: LabNode): boolean => !away.has(node);
  const writer = new SinkWriter(history, { nodes, serves, key, rate, shadows, random: random.fork('writer') });
  const sampler = new CacheSampler(history, servers.redisPort, servers.cachePrefix, writer.shadows);
  const reading = new AbortController();
  const read = readAgain(servers, reading.signal);
  try {
    await everyShardOwned(claims, history);
    writer.start();
    sampler.start();
    const all = { history, nodes, away, claims, servers: servers.faulty, takeover: takeoverOf(stage) };
    await Promise.all([
      ownersFail({ ...all, random: random.fork('owner faults') }, plan),
      serversFail({ ...all, random: random.fork('server faults') }, plan),
    ]);
    say('      all faults are over');
    const last = await writer.finish();
    reading.abort();
    await read;
    await arrived(stage, last);
    await sampler.stop();
    await checkCache(history, await sampler.read(), { node: nodes[0]!, key });
    return last;
  } finally {
    reading.abort();
    await Promise.all([claims.stop(), sampler.stop()]);
    sampler.close();
  }
}

async function ownersFail(stage: SinkStage, { owners }: SinkPlan): Promise<void> {
  for (const fault of owners) {
    await pause(stage.random.int(...BEFORE_OWNER));
    const node = stage.random.pick(stage.nodes);
    say(`      node ${node.index}: ${fault}`);
    await OWNER_FAULTS[fault](stage, node);
  }
}

async function serversFail(stage: SinkStage, { servers, beforeServer }: SinkPlan): Promise<void> {
  for (const fault of servers) {
    await pause(stage.random.int(...beforeServer));
    const server = stage.random.pick(stage.servers);
    say(`      ${server.sink}: ${fault}`);
    await disturbServer(stage, server, fault);
  }
}

async function makeSinks({ topology, servers }: Stage, key: string): Promise<void> {
  const url = topology.node(0).httpUrl;
  for (const [name, body] of Object.entries(servers.bodies)) {
    const headers = { authorization: `Bearer ${key}` };
    const answer = await fetch(`${url}/v1/sinks/${name}`, { method: 'PUT', headers, body: JSON.stringify(body) });
    const made = (await answer.json()) as { kind: string; settings: { secret?: string } };
    if (answer.status !== 201) throw new Error(`the sink ${name} is not made: ${JSON.stringify(made)}`);
    if (made.kind === 'webhook') servers.expect(made.settings);
  }
}

async function everyShardOwned(claims: ClaimsReader, { sinks }: SinkHistory): Promise<void> {
  for (const from = performance.now(); claims.owners.size < sinks.length * 16; await pause(50))
    if (performance.now() - from > ARRIVES_MS) throw new Error('not every shard has an owner');
}

/** Keeps up with the streams during the run, as far as their servers answer. Never rejects. */
async function readAgain({ readers }: SinkServers, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    for (const reader of readers) await reader.read().catch(() => undefined);
    await pause(READ_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** Until every stream has the last update of each shadow. */
async function arrived({ history, servers }: Stage, last: ReadonlyMap<string, number>): Promise<void> {
  const isThere = (): boolean =>
    [...history.deliveries.values()].every((deliveries) => {
      const most = new Map<string, number>();
      for (const { shadow, step } of deliveries) most.set(shadow, Math.max(step, most.get(shadow) ?? 0));
      return [...last].every(([shadow, step]) => (most.get(shadow) ?? 0) >= step);
    });
  const read = async (): Promise<void> => {
    for (const reader of servers.readers)
      await reader.read().catch((error: unknown) => {
        if (performance.now() - from > ARRIVES_MS)
          history.remark(PROMISES.sinkLost, `a stream cannot be read: ${String(error)}`);
      });
  };
  const from = performance.now();
  for (await read(); !isThere() && performance.now() - from < ARRIVES_MS; await read()) await pause(500);
  await pause(ECHO_MS);
  await read();
}
