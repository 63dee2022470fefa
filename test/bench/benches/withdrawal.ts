import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { fingerprintOf } from '../../../src/auth/certificates/fingerprint.js';
import { createAuthority } from '../../harness/certificates.js';
import * as x509 from '../../harness/x509.js';
import type { Lab, RunningNode } from '../lab.js';
import { HOST } from '../load/http-connection.js';
import { topicBytes } from '../load/mqtt-device.js';
import { TrialCaller, type Shown } from '../load/trial-caller.js';
import { atMost, row, type Result } from '../result.js';
import { Secured, securedEnvironment } from '../secured.js';

/** Milliseconds of traffic before a withdrawal. */
const BEFORE_MS = 60;
/** Milliseconds for which traffic is watched after all doors have refused it. */
const AFTER_MS = 100;
const LIMIT_MS = 1_000;
/** Milliseconds until each door has let something through: where nothing comes through, nothing can be withdrawn. */
const START_MS = 10_000;

const KINDS = ['policy', 'key', 'certificate', 'token', 'tenant'] as const;
type Kind = (typeof KINDS)[number];
type Lags = Record<'mqtt' | 'rest' | 'stream', number>;

/** One principal of a trial, and how to take away what it may do. */
interface Trial {
  readonly caller: TrialCaller;
  withdraw(): Promise<void>;
}

/** Until when a principal still acts on three nodes after its rights were taken away at one of them. */
export async function withdrawal(lab: Lab): Promise<Result> {
  const etcd = [await lab.etcd()];
  const server = await createAuthority();
  lab.onEnd(() => server.remove());
  const { cert, key } = server.server;
  const tls = { UMBRA_HTTPS_PORT: '0', UMBRA_MQTTS_PORT: '0', UMBRA_TLS_CERT: cert, UMBRA_TLS_KEY: key };
  const place = { etcd, env: { ...securedEnvironment(lab), ...tls }, prefix: '/withdrawal/' };
  const first = await Secured.start(lab, place);
  const others = [await lab.node('umbra', place), await lab.node('umbra', place)] as const;
  const devices = x509.issueAuthority();
  await first.register(devices);
  const admin = new Administrator(first, devices, readFileSync(server.ca));
  const rows = [];
  for (const kind of KINDS) {
    const lags: Record<keyof Lags, number[]> = { mqtt: [], rest: [], stream: [] };
    for (let n = 0; n < lab.size(50, 12, 1); n++) {
      const trial = await admin.prepare(kind, `${kind}-${n}`);
      const found = await play(trial, others, admin);
      for (const [door, lag] of Object.entries(found)) lags[door as keyof Lags].push(lag);
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
  { caller, withdraw }: Trial,
  [one, two]: readonly [RunningNode, RunningNode],
  admin: Administrator,
): Promise<Lags> {
  const { thing } = caller;
  const last: Lags = { mqtt: 0, rest: 0, stream: 0 };
  /** Doors that do not let it in any more: that nothing comes through for a while says nothing on a busy machine. */
  const refused = new Set<string>();
  let isWithdrawn = false;
  let isOver = false;
  const acted = (door: keyof Lags): void => void (last[door] = performance.now());
  const ended = (door: keyof Lags): void => void (isWithdrawn && refused.add(door));
  const device = await caller.connect(one);
  const topic = topicBytes(`$aws/things/${thing}/shadow/update`);
  const publish = (n: number): void => device.publish(topic, (n % 65_535) + 1, `{"state":{"reported":{"n":${n}}}}`);
  let count = 0;
  device.onPuback = () => {
    acted('mqtt');
    if (!isOver) publish(++count);
  };
  device.onEnd = () => ended('mqtt');
  publish(++count);
  const endStream = await caller.watch(two, { onChange: () => acted('stream'), onEnd: () => ended('stream') });
  const reading = (async () => {
    while (!isOver) {
      if ((await caller.read(two)) === 200) {
        acted('rest');
        continue;
      }
      ended('rest');
      // What is refused at once must not take the processor from what is measured.
      await pause(1);
    }
  })();
  // Changes for the stream, by somebody who may go on.
  const changing = (async () => {
    for (let n = 0; !isOver; n++) await admin.change(thing, n);
  })();
  await until(START_MS, () => !Object.values(last).includes(0));
  if (Object.values(last).includes(0)) throw new Error(`${thing} never acted: ${JSON.stringify(last)}`);
  await pause(BEFORE_MS);
  const from = performance.now();
  isWithdrawn = true;
  await withdraw();
  await until(2 * LIMIT_MS, () => refused.size === Object.keys(last).length);
  // Whoever was refused once must not get through again.
  await pause(AFTER_MS);
  const lagOf = (door: keyof Lags): number => Math.max(0, (refused.has(door) ? last[door] : performance.now()) - from);
  const lags = { mqtt: lagOf('mqtt'), rest: lagOf('rest'), stream: lagOf('stream') };
  isOver = true;
  await Promise.all([reading, changing]);
  endStream();
  device.end();
  caller.end();
  return lags;
}

async function until(limitMs: number, isDone: () => boolean): Promise<void> {
  const start = performance.now();
  while (!isDone() && performance.now() - start < limitMs) await pause(1);
}

class Administrator {
  /**
   * @param devices authority of the devices
   * @param ca certificate of the authority of the nodes
   */
  constructor(
    private readonly secured: Secured,
    private readonly devices: x509.Issued,
    private readonly ca: Buffer,
  ) {}

  /** A principal with what it shows, and its end. */
  async prepare(kind: Kind, name: string): Promise<Trial> {
    const base = kind === 'tenant' ? `/v1/tenants/${name}` : '/v1';
    const tenant = kind === 'tenant' ? await this.#ask('PUT', base, {}) : null;
    const policy = kind === 'policy' ? await this.#ask('PUT', `/v1/policies/${name}`, EVERYTHING) : null;
    const rights = kind === 'policy' ? { policies: [name] } : { roles: ['device', 'service'] };
    await this.#ask('PUT', `${base}/principals/${name}`, { thing: name, ...rights });
    if (kind === 'certificate') return this.#certified(name);
    const made = await this.#ask('POST', `${base}/principals/${name}/keys`, {});
    const { id, key } = made.body as { id: string; key: string };
    if (kind === 'token') return this.#tokened(name, key);
    const withdraw = async (): Promise<void> => {
      if (kind === 'key') await this.#ask('DELETE', `/v1/principals/${name}/keys/${id}`);
      if (kind === 'tenant') await this.#ask('PUT', base, { disabled: true }, tenant?.etag);
      if (kind === 'policy') await this.#ask('PUT', `/v1/policies/${name}`, NOTHING, policy?.etag);
    };
    return trialOf(name, { secret: key }, withdraw);
  }

  async change(thing: string, n: number): Promise<void> {
    await this.#ask('POST', `/things/${thing}/shadow`, { state: { desired: { n } } });
  }

  #certified(name: string): Trial {
    const { pem: cert, key, der } = x509.issue(this.devices, { subject: x509.nameOf(x509.cn(name)) });
    return trialOf(name, { tls: { ca: this.ca, certificateOf: () => ({ cert, key }) } }, async () => {
      await this.#ask('PUT', `/v1/revocations/certificate/${fingerprintOf(der)}`, {});
    });
  }

  async #tokened(name: string, key: string): Promise<Trial> {
    const token = (await this.secured.tokensFor(new Map([[name, key]]))).get(name) ?? '';
    return trialOf(name, { secret: token }, async () => {
      const body = new URLSearchParams({ token, client_id: name, client_secret: key });
      const { status } = await fetch(`${this.#url}/v1/auth/revoke`, { method: 'POST', body });
      if (status !== 200) throw new Error(`the token was not revoked: ${status}`);
    });
  }

  get #url(): string {
    return `http://${HOST}:${this.secured.node.httpPort}`;
  }

  async #ask(
    method: string,
    path: string,
    body?: object,
    etag?: string | null,
  ): Promise<{ body: unknown; etag: string | null }> {
    const answer = await fetch(`${this.#url}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.secured.admin}`, ...(etag != null && { 'if-match': etag }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return { body: text === '' ? null : JSON.parse(text), etag: answer.headers.get('etag') };
  }
}

function trialOf(thing: string, shown: Shown, withdraw: () => Promise<void>): Trial {
  return { caller: new TrialCaller(thing, shown), withdraw };
}

const statement = (Effect: string): object => ({
  Version: '2012-10-17',
  Statement: [{ Effect, Action: '*', Resource: '*' }],
});
const EVERYTHING = statement('Allow');
const NOTHING = statement('Deny');
