import { SecretKeys } from '../../../src/auth/tokens/secret-key.js';
import type { Lab, Measured, RunningNode, Side } from '../lab.js';
import { bearing, type Showing } from '../load/http-connection.js';
import { HttpPool } from '../load/http-pool.js';
import { openLoop } from '../load/open-loop.js';
import { atMost, note, p99, ratio, row, type Result } from '../result.js';
import { Secured, securedEnvironment, type Member } from '../secured.js';
import { nodeCost } from './doors.js';
import { documentText } from './policies.js';

const RATE = 2000;
const TENANTS = 50;
const DEVICES_EACH = 10;
const CONNECTIONS = 256;
/** Milliseconds from the moment at which a request was due, of the claim that this is held against. */
const GOAL_MEAN_MS = 18;
const GOAL_P99_MS = 41;
const POLICY = 'plant';
const READING = '{"state":{"reported":{"count":1,"temperature":21.5,"humidity":41,"door":"closed","online":true}}}';
/** A prime, so that neighbouring requests come from tenants that are far apart. */
const STRIDE = 7919;

interface Request {
  readonly method: 'GET' | 'POST';
  readonly thing: string;
  readonly showing: Showing;
  readonly status: number;
}

/**
 * A fixed rate of requests, most of them allowed and some refused, to a node that has the rules in memory and to one that
 * reads them from etcd for each request. Otherwise both are the same program on the same records. Where the rate is more
 * than the latter can serve, its latency grows with the window; so a quarter of the rate is measured too.
 */
export async function tenants(lab: Lab): Promise<Result> {
  const etcd = [await lab.etcd()];
  const place = { etcd, prefix: '/tenants/', env: securedEnvironment(lab) };
  const memory = await Secured.start(lab, place);
  const reading = await lab.node('umbra', { ...place, env: { ...place.env, BENCH_RULES: 'etcd' } });
  const requests = await prepare(lab, memory);
  const ask = { memory: await asking(lab, memory.node, requests), etcd: await asking(lab, reading, requests) };
  const pids = { memory: memory.node.process.pid, etcd: reading.process.pid };
  const side = (rules: keyof typeof ask, rate: number): Side => ({
    run: () => openLoop(rate, lab.size(5, 3, 1), ask[rules]),
    warm: () => openLoop(rate, lab.scale.warmSeconds, ask[rules]),
    pids: { node: pids[rules], etcd: etcd[0]?.pid ?? -1 },
  });
  const rate = lab.size(RATE, RATE, 100);
  const found = await lab.alternate({
    memory: side('memory', rate),
    etcd: side('etcd', rate),
    'memory, a quarter': side('memory', rate / 4),
    'etcd, a quarter': side('etcd', rate / 4),
  });
  const quarter = { memory: found['memory, a quarter'], etcd: found['etcd, a quarter'] };
  return {
    rows: [
      row('mean, rules in memory', found.memory.map(mean), atMost(GOAL_MEAN_MS), ' ms'),
      row('p99, rules in memory', found.memory.map(p99), atMost(GOAL_P99_MS), ' ms'),
      row('mean, rules read from etcd', found.etcd.map(mean), undefined, ' ms'),
      row('p99, rules read from etcd', found.etcd.map(p99), undefined, ' ms'),
      ratio('mean, read from etcd over in memory', found.etcd, found.memory, mean),
      ratio('p99, read from etcd over in memory', found.etcd, found.memory, p99),
      ratio('mean at a quarter of the rate, read from etcd over in memory', quarter.etcd, quarter.memory, mean),
      ratio('p99 at a quarter of the rate, read from etcd over in memory', quarter.etcd, quarter.memory, p99),
      ratio('processor of the node per request, read from etcd over in memory', found.etcd, found.memory, nodeCost),
    ],
    notes: [
      ...Object.entries(found).map(([name, samples]) => note(name, samples)),
      'of ten requests six read and one changes the own shadow, two read a foreign one (403), one has a wrong key (401)',
    ],
  };
}

const mean = (measured: Measured): number => measured.mean ?? Number.NaN;

/** Tenants with a policy each and devices with keys, and what they ask. */
async function prepare(lab: Lab, node: Secured): Promise<Request[]> {
  const names = Array.from({ length: lab.size(TENANTS, TENANTS, 5) }, (_, i) => `tenant-${i}`);
  await node.each(names, async (http, tenant) => {
    await http.send('PUT', `/v1/tenants/${tenant}`, '{}');
    const document = documentText(names.indexOf(tenant));
    await http.send('PUT', `/v1/tenants/${tenant}/policies/${POLICY}`, document);
  });
  const members: Member[] = names.flatMap((tenant) =>
    Array.from({ length: DEVICES_EACH }, (_, i) => ({ tenant, name: `${tenant}-lamp-${i}`, policies: [POLICY] })),
  );
  const keys = await node.makeDevices(members);
  const showings = members.map(({ name }) => bearing(keys.get(name) ?? ''));
  await node.each([...members.entries()], async (http, [i, { name }]) => {
    const { status, body } = await http.ask('POST', `/things/${name}/shadow`, READING, undefined, showings[i]);
    if (status !== 200) throw new Error(`${status} ${body}`);
  });
  const unknown = bearing(new SecretKeys(Buffer.alloc(32, 1)).make().text);
  return Array.from({ length: members.length * 10 }, (_, i) => {
    const caller = (i * STRIDE) % members.length;
    const thing = members[caller]!.name;
    const showing = showings[caller]!;
    const kind = i % 10;
    if (kind < 6) return { method: 'GET', thing, showing, status: 200 };
    if (kind === 6) return { method: 'POST', thing, showing, status: 200 };
    // The next one is of the same tenant, mostly: nothing but policies keeps it from the caller.
    if (kind < 9) return { method: 'GET', thing: members[(caller + 1) % members.length]!.name, showing, status: 403 };
    return { method: 'GET', thing, showing: unknown, status: 401 };
  });
}

/** Sends the next of the requests to a node. @throws Error when the answer is another one than it should be */
async function asking(lab: Lab, { httpPort }: RunningNode, requests: readonly Request[]): Promise<() => Promise<void>> {
  const connections = lab.size(CONNECTIONS, CONNECTIONS, 20);
  const pool = await HttpPool.open(httpPort, connections);
  lab.onEnd(() => pool.end());
  let next = 0;
  const ask = (): Promise<void> =>
    pool.with(async (http) => {
      const { method, thing, showing, status } = requests[next++ % requests.length]!;
      const body = method === 'POST' ? READING : undefined;
      const answer = await http.ask(method, `/things/${thing}/shadow`, body, undefined, showing);
      if (answer.status !== status) throw new Error(`${method} ${thing}: ${answer.status} ${answer.body}`);
    });
  // A server waits 10 s for the first request of a connection, which is less than the other sides need.
  await Promise.all(Array.from({ length: connections }, ask));
  return ask;
}
