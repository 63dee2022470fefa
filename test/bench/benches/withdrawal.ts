import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Device, topicBytes } from '../load/mqtt-device.js';
import type { Lab, RunningNode } from '../lab.js';
import { atMost, row, type Result } from '../result.js';

/** Milliseconds of traffic before a withdrawal. */
const BEFORE_MS = 60;
/** Milliseconds for which traffic is watched after it, at least. */
const AFTER_MS = 150;
const LIMIT_MS = 1_000;

type Kind = 'policy' | 'key' | 'tenant';

/** One principal of a trial, and how to take away what it may do. */
interface Trial {
  readonly key: string;
  readonly thing: string;
  withdraw(): Promise<void>;
}

/** Until when a principal still acts on three nodes after its rights were taken away at one of them. */
export async function withdrawal(lab: Lab): Promise<Result> {
  const etcd = [await lab.etcd()];
  const masterKey = join(lab.folder(), 'master.key');
  writeFileSync(masterKey, '7'.repeat(64), { mode: 0o600 });
  const env = { UMBRA_AUTH: 'on', UMBRA_MASTER_KEY: masterKey, UMBRA_LIMIT_THING: '0', UMBRA_LIMIT_FAILURES: '0' };
  const first = await lab.node('umbra', { etcd, env, prefix: '/withdrawal/' });
  const others = [
    await lab.node('umbra', { etcd, env, prefix: '/withdrawal/' }),
    await lab.node('umbra', { etcd, env, prefix: '/withdrawal/' }),
  ] as const;
  const admin = new Administrator(first, readFileSync(join(first.process.dataDir, 'admin.key'), 'utf8').trim());
  const rows = [];
  for (const kind of ['policy', 'key', 'tenant'] as const) {
    const lags: Record<'mqtt' | 'rest' | 'stream', number[]> = { mqtt: [], rest: [], stream: [] };
    for (let n = 0; n < lab.size(50, 20, 1); n++) {
      const trial = await admin.prepare(kind, `${kind}-${n}`);
      const found = await play(trial, others, admin);
      for (const [door, lag] of Object.entries(found)) lags[door as keyof typeof lags].push(lag);
      process.stderr.write('.');
    }
    for (const [door, each] of Object.entries(lags)) {
      const sorted = each.toSorted((a, b) => a - b);
      const p99 = sorted.at(Math.floor(sorted.length * 0.99)) ?? Number.NaN;
      rows.push(row(`${kind} withdrawn, last action over ${door}: p50`, each, atMost(LIMIT_MS), ' ms'));
      rows.push(row(`${kind} withdrawn, last action over ${door}: p99`, [p99], atMost(LIMIT_MS), ' ms'));
    }
  }
  return { rows, notes: [] };
}

/** Acts on two nodes until it is refused. @returns milliseconds from the withdrawal to the last action that went through */
async function play(
  { key, thing, withdraw }: Trial,
  [one, two]: readonly [RunningNode, RunningNode],
  admin: Administrator,
): Promise<Record<'mqtt' | 'rest' | 'stream', number>> {
  const last = { mqtt: 0, rest: 0, stream: 0 };
  let isOver = false;
  const device = await Device.connect(one.mqttPort, thing, undefined, key);
  const topic = topicBytes(`$aws/things/${thing}/shadow/update`);
  const publish = (n: number): void => device.publish(topic, (n % 65_535) + 1, `{"state":{"reported":{"n":${n}}}}`);
  let count = 0;
  device.onPuback = () => {
    last.mqtt = performance.now();
    if (!isOver) publish(++count);
  };
  device.onEnd = () => undefined;
  publish(++count);
  const abort = new AbortController();
  const headers = { authorization: `Bearer ${key}` };
  const stream = await fetch(`http://127.0.0.1:${two.httpPort}/v1/things/${thing}/watch`, {
    headers,
    signal: abort.signal,
  });
  const streaming = (async () => {
    const decoder = new TextDecoder();
    for await (const part of stream.body ?? [])
      if (decoder.decode(part as Uint8Array).includes('event: change')) last.stream = performance.now();
  })().catch(() => undefined);
  const reading = (async () => {
    while (!isOver) {
      const { status } = await fetch(`http://127.0.0.1:${two.httpPort}/things/${thing}/shadow`, { headers });
      if (status === 200) last.rest = performance.now();
    }
  })();
  // Changes for the stream, by somebody who may go on.
  const changing = (async () => {
    for (let n = 0; !isOver; n++) await admin.change(thing, n);
  })();
  await pause(BEFORE_MS);
  const from = performance.now();
  await withdraw();
  while (
    performance.now() - Math.max(from, ...Object.values(last)) < AFTER_MS &&
    performance.now() - from < 2 * LIMIT_MS
  )
    await pause(10);
  isOver = true;
  await Promise.all([reading, changing]);
  abort.abort();
  await streaming;
  device.end();
  const since = (at: number): number => Math.max(0, at - from);
  return { mqtt: since(last.mqtt), rest: since(last.rest), stream: since(last.stream) };
}

class Administrator {
  constructor(
    private readonly node: RunningNode,
    private readonly key: string,
  ) {}

  /** A principal with a key, and its end. */
  async prepare(kind: Kind, name: string): Promise<Trial> {
    const base = kind === 'tenant' ? `/v1/tenants/${name}` : '/v1';
    const tenant = kind === 'tenant' ? await this.#ask('PUT', base, {}) : null;
    const policy = kind === 'policy' ? await this.#ask('PUT', `/v1/policies/${name}`, EVERYTHING) : null;
    const rights = kind === 'policy' ? { policies: [name] } : { roles: ['device', 'service'] };
    await this.#ask('PUT', `${base}/principals/${name}`, { thing: name, ...rights });
    const made = await this.#ask('POST', `${base}/principals/${name}/keys`, {});
    const { id, key } = made.body as { id: string; key: string };
    const withdraw = async (): Promise<void> => {
      if (kind === 'key') await this.#ask('DELETE', `/v1/principals/${name}/keys/${id}`);
      if (kind === 'tenant') await this.#ask('PUT', base, { disabled: true }, tenant?.etag);
      if (kind === 'policy') await this.#ask('PUT', `/v1/policies/${name}`, NOTHING, policy?.etag);
    };
    return { key, thing: name, withdraw };
  }

  async change(thing: string, n: number): Promise<void> {
    await this.#ask('POST', `/things/${thing}/shadow`, { state: { desired: { n } } });
  }

  async #ask(
    method: string,
    path: string,
    body?: object,
    etag?: string | null,
  ): Promise<{ body: unknown; etag: string | null }> {
    const answer = await fetch(`http://127.0.0.1:${this.node.httpPort}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.key}`, ...(etag != null && { 'if-match': etag }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return { body: text === '' ? null : JSON.parse(text), etag: answer.headers.get('etag') };
  }
}

const statement = (Effect: string): object => ({
  Version: '2012-10-17',
  Statement: [{ Effect, Action: '*', Resource: '*' }],
});
const EVERYTHING = statement('Allow');
const NOTHING = statement('Deny');

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
