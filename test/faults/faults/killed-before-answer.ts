import { setTimeout as pause } from 'node:timers/promises';
import { TcpProxy } from '../../harness/tcp-proxy.js';
import { fateOf, send, type Request } from '../actors/request.js';
import type { FleetHistory, KeyedRequest } from '../model/fleet-history.js';
import type { Random } from '../plans/random.js';
import type { LabNode, Topology } from '../topology.js';

const REQUESTS = 9;
/** Milliseconds in which the first of them is committed, and in which each is answered after it. */
const COMMITTED_MS = 5_000;
const ANSWERED_MS = 60_000;
const AGAIN_MS = 300;
/** Repetitions that are answered. */
const REPETITIONS = 2;

export interface Killing {
  readonly topology: Topology;
  readonly history: FleetHistory;
  readonly random: Random;
  /** Of things. */
  readonly prefix: string;
  /** In this run. */
  readonly round: number;
}

/**
 * A node carries requests out, and a proxy holds its answers until it is killed: some were committed by then. Each is
 * then repeated with its Idempotency-Key through other nodes.
 */
export async function killBeforeAnswer(killing: Killing): Promise<void> {
  const { topology, history, random } = killing;
  const node = random.pick(topology.nodes);
  const others = topology.nodes.filter((each) => each !== node);
  const planned = Array.from({ length: REQUESTS }, (_, i) => plan(killing, i));
  await Promise.all(planned.map(({ thing, kind }) => kind === 'delete' && createdAt(others, thing)));
  const proxy = await TcpProxy.start(Number(new URL(node.httpUrl).port));
  proxy.set('lose-responses');
  const begun = planned.map(({ request }) => send(proxy.endpoint, request));
  await killedAmid(node, planned, killing);
  await proxy.stop();
  await Promise.all(begun);
  history.keyed.push(...planned.map(({ keyed }) => keyed));
  await Promise.all(planned.map((each) => repeat(each, others, history)));
  await node.start();
}

interface Planned {
  readonly kind: 'update' | 'transaction' | 'delete';
  readonly thing: string;
  readonly request: Request;
  readonly keyed: KeyedRequest;
}

function plan({ prefix, round }: Killing, i: number): Planned {
  const kind = (['update', 'transaction', 'delete'] as const)[i % 3]!;
  const thing = `${prefix}keyed-${round}-${i}`;
  const id = `${thing}-${kind}`;
  const path = `/v1/things/${thing}/shadow`;
  const headers = { 'idempotency-key': id };
  const state = { desired: { by: id } };
  const pair = [thing, `${thing}-b`];
  const operations = pair.map((each) => ({ op: 'update', thing: each, state }));
  const requests = {
    update: { method: 'PATCH', path, headers, body: { state, clientToken: id } },
    transaction: { method: 'POST', path: '/v1/transactions', headers, body: { operations, clientToken: id } },
    delete: { method: 'DELETE', path, headers, body: { clientToken: id } },
  } as const satisfies Record<Planned['kind'], Request>;
  const shadows = kind === 'transaction' ? pair : [thing];
  return { kind, thing, request: requests[kind], keyed: { id, shadows, repeatedAt: Infinity, answers: [] } };
}

async function createdAt(nodes: readonly LabNode[], thing: string): Promise<void> {
  const request: Request = {
    method: 'PATCH',
    path: `/v1/things/${thing}/shadow`,
    body: { state: { desired: { n: 1 } } },
  };
  for (const from = performance.now(), all = nodes; performance.now() - from < ANSWERED_MS; await pause(AGAIN_MS)) {
    for (const { httpUrl } of all) if ((await send(httpUrl, request))?.status === 200) return;
  }
}

/** When etcd has told of some, or, now and then, at any moment. */
async function killedAmid(node: LabNode, planned: readonly Planned[], killing: Killing): Promise<void> {
  const { history, random, round } = killing;
  const wanted = random.int(1, REQUESTS);
  const from = performance.now();
  const isCommitted = ({ keyed }: Planned): boolean => history.made.has(keyed.id);
  if (round > 0 && random.next() < 0.25) await pause(random.int(0, 200));
  else while (planned.filter(isCommitted).length < wanted && performance.now() - from < COMMITTED_MS) await pause(1);
  await node.kill9();
  history.count('nodes killed before the answer');
}

/** Until its fate is known, as often as it takes, through one node after the other. */
async function repeat({ request, keyed }: Planned, nodes: readonly LabNode[], history: FleetHistory): Promise<void> {
  if (history.made.has(keyed.id)) history.count('committed before the kill');
  keyed.repeatedAt = performance.now();
  for (let turn = 0; performance.now() - keyed.repeatedAt < ANSWERED_MS; turn++) {
    const answer = await send(nodes[turn % nodes.length]!.httpUrl, request);
    if (answer && fateOf(answer) !== 'maybe' && answer.status < 500) {
      keyed.answers.push(answer);
      if (keyed.answers.length === REPETITIONS) return;
    } else await pause(AGAIN_MS);
  }
}
