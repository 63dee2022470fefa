import { readFileSync } from 'node:fs';
import { createServer as createTlsServer } from 'node:https';
import { createServer as createTcpServer } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { Breaker } from '../../src/breakers/breaker.js';
import { SYSTEM_CLOCK } from '../../src/resilience/clock.js';
import { ReachableAddresses } from '../../src/sinks/webhooks/addresses.js';
import type { Endpoint } from '../../src/sinks/webhooks/attempt.js';
import type { DeadLetter } from '../../src/sinks/webhooks/dead-letter.js';
import { EndpointClient, type ClientLimits } from '../../src/sinks/webhooks/endpoint-client.js';
import { makeSecret, secretKey } from '../../src/sinks/webhooks/signature.js';
import {
  MAX_REQUESTS,
  REFUSED_MS,
  WebhookSink,
  type WebhookSinkOptions,
} from '../../src/sinks/webhooks/webhook-sink.js';
import type { ShadowRecord } from '../../src/store/shadow-store.js';
import { SILENT_LOGGER } from '../../src/telemetry/logger.js';
import { createAuthority } from '../harness/certificates.js';
import { SettableClock } from '../harness/clock.js';
import { freePort } from '../harness/ports.js';
import { until } from '../harness/until.js';
import { status, WebhookReceiver } from '../harness/webhook-receiver.js';

const SECRET = makeSecret();
const LOOPBACK = new ReachableAddresses(['127.0.0.1', '::1']);
const LIMITS: ClientLimits = { connectMs: 5_000, totalMs: 10_000, answerBytes: 65_536 };

const reading = new AbortController();
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

async function receive(...args: Parameters<typeof WebhookReceiver.start>): Promise<WebhookReceiver> {
  const receiver = await WebhookReceiver.start(...args);
  receiver.secrets = [SECRET];
  ends.push(() => receiver.stop());
  return receiver;
}

/** What clients told the operator. */
const told: string[] = [];

function client(url: string, limits: Partial<ClientLimits> = {}, reachable = LOOPBACK): EndpointClient {
  const one = new EndpointClient(new URL(url), reachable, { ...LIMITS, ...limits }, (reason) => told.push(reason));
  ends.push(() => one.close());
  return one;
}

interface Setup {
  readonly sink: WebhookSink;
  readonly letters: DeadLetter[];
  readonly gone: string[];
}

type Options = Partial<Omit<WebhookSinkOptions, 'endpoint'> & Endpoint>;

function sinkTo(
  url: string,
  { clock = SYSTEM_CLOCK, breaker = { run: (call) => call() }, ...options }: Options = {},
): Setup {
  const [letters, gone]: [DeadLetter[], string[]] = [[], []];
  const one = client(url);
  const sink = new WebhookSink({
    endpoint: { post: (body, headers) => one.post(body, headers), keys: () => [secretKey(SECRET)], breaker, clock },
    deadLetters: { add: async (letter) => letters.push(letter) > 0 },
    onGone: (reason) => gone.push(reason),
    isOwner: () => true,
    giveUpMs: 3_600_000,
    retry: { first: 1, longest: 4 },
    logger: SILENT_LOGGER,
    ...options,
  });
  ends.push(() => sink.close());
  return { sink, letters, gone };
}

let revision = 0;
const change = (thing: string, version: number): ShadowRecord => ({
  key: { tenant: 'acme', thing, name: null },
  state: { version, reported: { version }, metadata: {} },
  change: { kind: 'update', patch: { reported: { version } }, principal: 'test', at: 1_700_000_000_000 },
  position: { cluster: 'c', epoch: 0, revision: ++revision },
});

/** Whether a promise has ended, without waiting for it. */
function ended(promise: Promise<void>): () => boolean {
  let done = false;
  void promise.then(() => (done = true));
  return () => done;
}

const versions = (receiver: WebhookReceiver, thing: string): number[] =>
  receiver.events().flatMap(({ data }) => (data.thing === thing ? [data.version] : []));

describe('a webhook sink', () => {
  it('sends signed events, those of one shadow in order, and repeats a failed one under its id', async () => {
    const receiver = await receive((response, _, nth) => void response.writeHead(nth <= 2 ? 500 : 204).end());
    const { sink, letters } = sinkTo(receiver.url);
    const sent = [change('a', 1), change('a', 2), change('a', 3)].map((each) => sink.deliver(each, reading.signal));
    await Promise.all(sent);
    expect(versions(receiver, 'a')).toEqual([1, 1, 1, 2, 3]);
    expect(new Set(receiver.ids.slice(0, 3)).size).toBe(1);
    expect(new Set(receiver.ids).size).toBe(3);
    expect(receiver.received[0]?.headers).toMatchObject({ 'content-type': 'application/json' });
    expect(receiver.received[0]?.headers['user-agent']).toMatch(/^umbra\/\d/);
    expect([sink.health.ok, letters]).toEqual([true, []]);
  });

  it('lets a shadow wait for its own messages only', async () => {
    const receiver = await receive((response, { body }) => {
      response.writeHead(body.includes('"thing":"poison"') ? 400 : 204).end();
    });
    const { sink } = sinkTo(receiver.url);
    const [first, second] = [1, 2].map((version) => ended(sink.deliver(change('poison', version), reading.signal)));
    await Promise.all([1, 2, 3].map((version) => sink.deliver(change('good', version), reading.signal)));
    await until('it is tried again', () => versions(receiver, 'poison').length > 3);
    expect(versions(receiver, 'good')).toEqual([1, 2, 3]);
    expect(new Set(versions(receiver, 'poison'))).toEqual(new Set([1]));
    expect([first?.(), second?.()]).toEqual([false, false]);
    expect(sink.health).toMatchObject({ ok: false, reason: 'status 400' });
  });

  it('makes a dead letter of what is not taken in time, and then sends the next of its shadow', async () => {
    const receiver = await receive((response, { body }) => {
      response.writeHead(body.includes('"version":1') ? 500 : 204).end();
    });
    const { sink, letters } = sinkTo(receiver.url, { giveUpMs: 50 });
    await Promise.all([1, 2].map((version) => sink.deliver(change('a', version), reading.signal)));
    expect(letters).toMatchObject([
      { thing: 'a', shadow: null, version: 1, reason: 'status 500', id: receiver.ids[0] },
    ]);
    expect(letters[0]?.tries).toBe(versions(receiver, 'a').filter((version) => version === 1).length);
    expect(letters[0]?.body).toBe(receiver.received[0]?.body);
    expect(versions(receiver, 'a').at(-1)).toBe(2);
  });

  it('gives up sooner what is refused while others are taken', async () => {
    const receiver = await receive((response, { body }) => {
      response.writeHead(body.includes('"thing":"poison"') ? 422 : 204).end();
    });
    const clock = new SettableClock();
    const { sink, letters } = sinkTo(receiver.url, { clock });
    const poison = sink.deliver(change('poison', 1), reading.signal);
    await until('it was refused', () => receiver.received.length > 0);
    clock.advance(REFUSED_MS + 1);
    await until('it is refused still', () => receiver.received.length > 3);
    expect(letters).toEqual([]);
    await sink.deliver(change('good', 1), reading.signal);
    await poison;
    expect(letters).toMatchObject([{ thing: 'poison', reason: 'status 422' }]);
  });

  it.each([
    ['is full', () => Promise.resolve(false), 'the dead letters are full'],
    ['cannot be reached', () => Promise.reject(new Error('etcd is away')), 'etcd is away'],
  ])('goes on trying while the box of dead letters %s', async (_, add, reason) => {
    const receiver = await receive(status(500));
    const { sink } = sinkTo(receiver.url, { giveUpMs: 0, deadLetters: { add } });
    const delivered = ended(sink.deliver(change('a', 1), reading.signal));
    await until('the box was asked', () => sink.health.reason.includes(reason) && receiver.received.length > 2);
    expect(delivered()).toBe(false);
    receiver.reply = status(204);
    await until('it is taken', delivered);
  });

  it('sends nothing more after 410 Gone, and says so once', async () => {
    const receiver = await receive(status(410));
    const { sink, gone, letters } = sinkTo(receiver.url, { giveUpMs: 0 });
    const all = ['a', 'b'].map((thing) => ended(sink.deliver(change(thing, 1), reading.signal)));
    await until('it is gone', () => gone.length > 0);
    await until('requests under way have ended', () => receiver.received.length === 2);
    all.push(ended(sink.deliver(change('c', 1), reading.signal)));
    for (let turns = 0; turns < 50; turns++) await turn();
    expect(gone).toEqual([expect.stringContaining('410 Gone')]);
    expect([receiver.received.length, letters]).toEqual([2, []]);
    expect(all.map((each) => each())).toEqual([false, false, false]);
  });

  it('is quiet as long as the endpoint asks it to be, for all shadows', async () => {
    const receiver = await receive(status(429, { 'retry-after': '60' }));
    const clock = new SettableClock(Date.now());
    const { sink } = sinkTo(receiver.url, { clock, giveUpMs: 10 });
    const sent = [sink.deliver(change('a', 1), reading.signal)];
    await until('it was asked', () => !sink.health.ok);
    sent.push(sink.deliver(change('b', 1), reading.signal));
    for (let turns = 0; turns < 50; turns++) await turn();
    expect(receiver.received).toHaveLength(1);
    receiver.reply = status(204);
    clock.advance(60_001);
    await Promise.all(sent);
    expect([versions(receiver, 'a'), versions(receiver, 'b')]).toEqual([[1, 1], [1]]);
  });

  it('makes so many requests at once and no more', async () => {
    const held: (() => void)[] = [];
    const receiver = await receive((response) => void held.push(() => void response.writeHead(204).end()));
    const { sink } = sinkTo(receiver.url);
    const sent = Array.from({ length: 3 * MAX_REQUESTS }, (_, n) => sink.deliver(change(`t${n}`, 1), reading.signal));
    for (let round = 1; round <= 3; round++) {
      await until('all places are taken', () => held.length === MAX_REQUESTS);
      for (let turns = 0; turns < 20; turns++) await turn();
      expect(receiver.received).toHaveLength(round * MAX_REQUESTS);
      for (const answer of held.splice(0)) answer();
    }
    await Promise.all(sent);
    expect(receiver.connections).toBe(MAX_REQUESTS);
  });

  it('drops what waits when its reading ends, and sends it with the next', async () => {
    const receiver = await receive(status(500));
    const { sink } = sinkTo(receiver.url, { retry: { first: 3_600_000, longest: 3_600_000 }, random: () => 1 });
    const [first, second] = [new AbortController(), new AbortController()];
    const record = change('a', 1);
    const dropped = ended(sink.deliver(record, first.signal));
    await until('it failed', () => !sink.health.ok);
    receiver.reply = status(204);
    first.abort();
    await sink.deliver(record, second.signal);
    expect(dropped()).toBe(false);
    expect(receiver.ids[1]).toBe(receiver.ids[0]);
  });

  it.each(['deliver', 'converge'] as const)('%s: sends nothing for a node whose lease is over', async (way) => {
    const receiver = await receive();
    const first = new AbortController();
    const { sink } = sinkTo(receiver.url, { isOwner: () => (first.abort(), false) });
    void sink[way](change('a', 1), first.signal);
    await sink.deliver(change('a', 2), reading.signal);
    expect(versions(receiver, 'a')).toEqual([2]);
  });

  it('gives nothing up for a node whose lease has ended during the request', async () => {
    let isOwner = true;
    const receiver = await receive((response) => {
      isOwner = false;
      response.writeHead(500).end();
    });
    const first = new AbortController();
    const ask = (): boolean => {
      if (!isOwner) first.abort();
      return isOwner;
    };
    const { sink, letters } = sinkTo(receiver.url, { giveUpMs: 0, isOwner: ask });
    const dropped = ended(sink.deliver(change('a', 1), first.signal));
    await until('it failed', () => !sink.health.ok);
    receiver.reply = status(204);
    await sink.deliver(change('a', 2), reading.signal);
    expect([dropped(), letters, versions(receiver, 'a')]).toEqual([false, [], [1, 2]]);
  });

  it('leaves an endpoint alone that fails, behind a breaker, and does not count that as an attempt', async () => {
    const receiver = await receive(status(503));
    const clock = new SettableClock();
    const breaker = new Breaker({ dependency: 'webhook:acme:a', clock, logger: SILENT_LOGGER, random: () => 0.5 });
    const { sink, letters } = sinkTo(receiver.url, { breaker, clock, giveUpMs: 0 });
    await Promise.all(['a', 'b', 'c', 'd', 'e'].map((thing) => sink.deliver(change(thing, 1), reading.signal)));
    await sink.deliver(change('f', 1), reading.signal);
    expect(breaker.state.state).toBe('open');
    expect(letters.at(-1)).toMatchObject({ thing: 'f', tries: 0, reason: expect.stringContaining('is not asked') });
    const before = receiver.received.length;
    receiver.reply = status(204);
    clock.advance(60_001);
    await sink.deliver(change('g', 1), reading.signal);
    expect(receiver.received).toHaveLength(before + 1);
  });
});

describe('the client of an endpoint', () => {
  const post = (one: EndpointClient): Promise<unknown> => one.post('{}', {}).catch((error: Error) => error.message);

  it('does not follow redirects', async () => {
    const target = await receive();
    const receiver = await receive(status(307, { location: target.url }));
    expect(await post(client(receiver.url))).toMatchObject({ status: 307 });
    expect(target.connections).toBe(0);
  });

  it('gives up an endpoint that says nothing, whatever it speaks', async () => {
    const silent = await receive(() => undefined);
    expect(await post(client(silent.url, { totalMs: 100 }))).toBe('no answer within 100 ms');
    // It waits for a request, and does not know that this is a handshake.
    const mute = createTcpServer(() => undefined);
    const port = await freePort();
    await new Promise<void>((resolve) => mute.listen(port, '127.0.0.1', resolve));
    ends.push(() => mute.close());
    expect(await post(client(`https://127.0.0.1:${port}/`, { connectMs: 100 }))).toBe('no connection within 100 ms');
  });

  it('tells of an endpoint that cuts the connection, and of one that is not there', async () => {
    const cutting = await receive((response) => void response.socket?.destroy());
    expect(await post(client(cutting.url))).toMatch(/socket hang up|ECONNRESET/);
    const nobody = await freePort();
    for (const host of ['127.0.0.1', 'localhost']) {
      told.length = 0;
      expect(await post(client(`http://${host}:${nobody}/`))).toBe('connect ECONNREFUSED');
      expect(told).toEqual([expect.stringContaining(`127.0.0.1:${nobody}`)]);
    }
  });

  it('reads so much of an answer and no more; its status counts', async () => {
    let closed = false;
    const endless = await receive((response) => {
      response.writeHead(200).on('close', () => (closed = true));
      const fill = (): void => {
        while (!closed && response.write(Buffer.alloc(16_384))) continue;
      };
      response.on('drain', fill);
      fill();
    });
    expect(await post(client(endless.url))).toEqual({ status: 200, retryAfter: null });
    await until('the connection is closed', () => closed);
    const dripping = await receive((response) => void response.writeHead(202).write('x'));
    expect(await post(client(dripping.url, { totalMs: 200 }))).toMatchObject({ status: 202 });
  });

  it('sends again when a kept connection was closed as the request left', async () => {
    let requests = 0;
    const receiver = await receive((response, _, nth) => {
      requests++;
      if (nth === 2) response.socket?.resetAndDestroy();
      else response.writeHead(204).end();
    });
    const one = client(receiver.url);
    await post(one);
    expect(await post(one)).toMatchObject({ status: 204 });
    expect([requests, receiver.connections]).toEqual([3, 2]);
  });

  it('sends nothing more when it is closed, not even what a kept connection has lost by that', async () => {
    const receiver = await receive((response, _, nth) => {
      if (nth === 2) one.close();
      else response.writeHead(204).end();
    });
    const one = client(receiver.url);
    await post(one);
    expect(await post(one)).toBe('the endpoint closed the connection');
    expect(await post(one)).toBe('the sink is closed');
    expect(receiver.received).toHaveLength(2);
  });

  it('connects to no address that is refused, whatever name leads there', async () => {
    const receiver = await receive();
    const port = String(receiver.port);
    const one = client(`https://localhost:${port}/`, {}, new ReachableAddresses());
    told.length = 0;
    for (let n = 0; n < 2; n++)
      expect(await post(one)).toMatch(/^the name of the endpoint means an address that is not public, to which/);
    expect(told).toEqual([expect.stringMatching(/^(127\.0\.0\.1|::1): .* is a loopback address/)]);
    const plain = client(`http://localhost:${port}/`, {}, new ReachableAddresses(['10.0.0.0/8']));
    expect(await post(plain)).toContain('is not public');
    expect(receiver.connections).toBe(0);
    expect(await post(client(`http://localhost:${port}/`))).toMatchObject({ status: 204 });
  });

  it('verifies certificates', async () => {
    const authority = await createAuthority();
    ends.push(() => authority.remove());
    const { cert, key } = authority.server;
    const server = createTlsServer({ cert: readFileSync(cert), key: readFileSync(key) }, (_, response) =>
      response.end(),
    );
    const port = await freePort();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    ends.push(() => server.close());
    expect(await post(client(`https://127.0.0.1:${port}/`))).toMatch(/certificate|self.signed/);
  });
});
