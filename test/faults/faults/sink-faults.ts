import { setTimeout as pause } from 'node:timers/promises';
import type { TcpProxy } from '../../harness/tcp-proxy.js';
import type { ClaimsReader } from '../actors/claims-reader.js';
import { askReady } from '../actors/rest-caller.js';
import type { SinkHistory, SinkName } from '../model/sink-history.js';
import type { Random } from '../plans/random.js';
import type { LabNode } from '../topology.js';
import { PROMISES } from '../validate/promises.js';

/** Milliseconds for what must happen after a fault. */
const BOUND_MS = 60_000;
/** Milliseconds after the end of a fault in which connections are made anew: the longest pause between two attempts. */
const BACK_MS = 6_000;
/** Milliseconds after which a stranded connection must have been replaced, and for which one stays stranded. */
const REPLACED_MS = 35_000;
const STRANDED_MS = 45_000;

/** A server behind a proxy. */
export interface FaultyServer {
  readonly sink: SinkName;
  readonly proxy: TcpProxy;
  kill9(): Promise<void>;
  start(): Promise<void>;
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void;
}

export interface SinkStage {
  readonly history: SinkHistory;
  readonly nodes: readonly LabNode[];
  /** Those that are away by the plan. */
  readonly away: Set<LabNode>;
  readonly claims: ClaimsReader;
  readonly servers: readonly FaultyServer[];
  readonly random: Random;
  /** Seconds of UMBRA_SINK_TAKEOVER_SECONDS. */
  readonly takeover: number;
}

/** What becomes of an owner. Each ends when all nodes serve, and every shard has an owner. */
export const OWNER_FAULTS = {
  'owner killed': (stage, node) => lose(stage, node, 'owner killed', killed),
  'owner stopped beyond its lease': (stage, node) => lose(stage, node, 'owner stopped beyond its lease', stopped),
  'owner stopped for a moment': (stage, node) => stoppedShortly(stage, node),
  'owner drained': (stage, node) => lose(stage, node, 'owner drained', drained),
  'owner cut off from etcd': (stage, node) => lose(stage, node, 'owner cut off from etcd', cutOff),
  'owner killed while the servers are stopped': (stage, node) => killedBehind(stage, node),
  'owner stopped, and its bytes come late': (stage, node) => lateBytes(stage, node),
} satisfies Record<string, (stage: SinkStage, node: LabNode) => Promise<void>>;

export type OwnerFault = keyof typeof OWNER_FAULTS;

/** What becomes of a server. */
export const SERVER_FAULTS = {
  killed: async ({ random }, server) => {
    await server.kill9();
    await pause(random.int(300, 4_000));
    await server.start();
  },
  stopped: async ({ random }, server) => {
    server.signal('SIGSTOP');
    await pause(random.int(500, 12_000));
    server.signal('SIGCONT');
  },
  'cut off': async ({ random }, { proxy }) => {
    proxy.set(random.pick(['refuse', 'blackhole', 'lose-responses'] as const));
    await pause(random.int(200, 8_000));
    proxy.set('pass');
    proxy.cutAll();
  },
  'cut once': ({ random }, { proxy }) => {
    if (random.next() < 0.5) proxy.set('cut-on-response');
    else proxy.cutAll();
    return Promise.resolve();
  },
} satisfies Record<string, (stage: SinkStage, server: FaultyServer) => Promise<void>>;

export type ServerFault = keyof typeof SERVER_FAULTS | 'stranded';

/** @throws Error when a process does not start again */
export async function disturbServer(stage: SinkStage, server: FaultyServer, fault: ServerFault): Promise<void> {
  const { history } = stage;
  const disturbance = history.disturb(`${server.sink} ${fault}`, [server.sink]);
  if (fault === 'stranded') await stranded(stage, server);
  else await SERVER_FAULTS[fault](stage, server);
  disturbance.to = Date.now() + BACK_MS;
}

/** Nothing closes the connections: the nodes must notice by themselves that nobody answers. */
async function stranded({ history }: SinkStage, { sink, proxy }: FaultyServer): Promise<void> {
  const from = Date.now();
  const before = proxy.connections;
  proxy.hold();
  while (proxy.connections === before && Date.now() - from < STRANDED_MS) await pause(100);
  const ms = Date.now() - from;
  if (ms > REPLACED_MS) history.remark(PROMISES.sinkReturns, `${sink}: no new connection in ${ms} ms without answers`);
  await pause(1_000);
  proxy.release();
}

interface Lost {
  /** Takes the owner away. */
  away(stage: SinkStage, node: LabNode): Promise<void> | void;
  /** Brings it back. */
  back(stage: SinkStage, node: LabNode): Promise<void> | void;
}

const killed: Lost = { away: (_, node) => node.kill9(), back: (_, node) => node.start() };
const stopped: Lost = {
  away: (_, node) => node.signal('SIGSTOP'),
  back: async ({ random }, node) => {
    // The new owner is ahead of what the old one still has in hand.
    await pause(random.int(0, 5_000));
    node.signal('SIGCONT');
  },
};
const drained: Lost = { away: (_, node) => node.terminate(), back: (_, node) => node.start() };
const cutOff: Lost = {
  away: ({ random }, { proxies }) => {
    const mode = random.pick(['refuse', 'blackhole'] as const);
    for (const proxy of proxies) proxy.set(mode);
  },
  back: (_, { proxies }) => {
    for (const proxy of proxies) proxy.set('pass');
    for (const proxy of proxies) proxy.cutAll();
  },
};

async function lose(stage: SinkStage, node: LabNode, kind: string, { away, back }: Lost): Promise<void> {
  const { history, claims, random } = stage;
  const disturbance = history.disturb(`${kind}: node ${node.index}`, []);
  const { places, instance } = claims.of(node.index);
  stage.away.add(node);
  history.losses.push({ kind, at: Date.now(), places, instance });
  // A drain ends when the process does, which is after the hand-over.
  const gone = Promise.resolve(away(stage, node));
  await until(stage, `${kind}: the others own its shards`, () =>
    places.every((place) => ![undefined, instance].includes(claims.owners.get(place))),
  );
  await gone;
  await pause(random.int(0, 2_000));
  await back(stage, node);
  await settled(stage, node);
  disturbance.to = Date.now();
}

/** Its lease does not end: it keeps its shards. */
async function stoppedShortly(stage: SinkStage, node: LabNode): Promise<void> {
  const { history, claims, random, takeover } = stage;
  const disturbance = history.disturb(`owner stopped for a moment: node ${node.index}`, []);
  const before = claims.of(node.index);
  stage.away.add(node);
  node.signal('SIGSTOP');
  // From its last word until the lease ends the node has a second less than the lease.
  await pause(Math.min(random.int(200, 1_500), Math.max(0, takeover * 1_000 - 1_500)));
  node.signal('SIGCONT');
  await settled(stage, node);
  if (claims.of(node.index).instance !== before.instance)
    history.remark(PROMISES.sinkOwners, `node ${node.index} has another life after a moment`);
  disturbance.to = Date.now();
}

/** What the owner has in hand is not confirmed when it dies, and must come from the next one. */
async function killedBehind(stage: SinkStage, node: LabNode): Promise<void> {
  const { servers } = stage;
  const disturbances = servers.map(({ sink }) =>
    stage.history.disturb(`${sink} stopped before the owner is killed`, [sink]),
  );
  for (const server of servers) server.signal('SIGSTOP');
  // Longer than the time between two saves of the cursors.
  await pause(1_500);
  const lost = lose(stage, node, 'owner killed while the servers are stopped', killed);
  await pause(500);
  for (const server of servers) server.signal('SIGCONT');
  for (const disturbance of disturbances) disturbance.to = Date.now() + BACK_MS;
  await lost;
}

/** What the old owner has sent reaches the servers when the new one has sent all that and more. */
async function lateBytes(stage: SinkStage, node: LabNode): Promise<void> {
  const { servers, history, random } = stage;
  const disturbances = servers.map(({ sink }) => history.disturb(`bytes to ${sink} come late`, [sink]));
  for (const { proxy } of servers) proxy.hold();
  await pause(random.int(200, 1_000));
  const lost = lose(stage, node, 'owner stopped, and its bytes come late', stopped);
  await pause(stage.takeover * 1_000 + random.int(4_000, 10_000));
  for (const { proxy } of servers) proxy.release();
  await lost;
  for (const disturbance of disturbances) disturbance.to = Date.now() + BACK_MS;
}

/** Until the node serves, and every shard has one owner again. */
async function settled(stage: SinkStage, node: LabNode): Promise<void> {
  const { claims, history } = stage;
  await until(stage, `node ${node.index} is ready`, async () => (await askReady(node.httpUrl)) === true);
  stage.away.delete(node);
  const wanted = history.sinks.length * 16;
  await until(
    stage,
    `node ${node.index} owns shards again, and all have owners`,
    () => claims.owners.size === wanted && claims.of(node.index).places.length > 0,
  );
}

async function until({ history }: SinkStage, what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const from = Date.now();
  while (!(await condition())) {
    if (Date.now() - from > BOUND_MS) return history.remark(PROMISES.sinkOwners, `not within ${BOUND_MS} ms: ${what}`);
    await pause(20);
  }
}
