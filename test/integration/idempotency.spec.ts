import { openEtcdStorage } from '../../src/store/etcd/open-etcd.js';
import { bulk, BulkClient, type BulkAnswerLine } from '../harness/bulk-client.js';
import { QUICK_ELECTION, startEtcd, type EtcdServer } from '../harness/etcd.js';
import { startHttpNode, type HttpNode } from '../harness/http-node.js';
import { TcpProxy } from '../harness/tcp-proxy.js';
import { until } from '../harness/until.js';

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

describe('requests with an Idempotency-Key', () => {
  let etcd: EtcdServer;
  let cut: TcpProxy;
  /** Reaches etcd through `cut`. */
  let a: HttpNode;
  let b: HttpNode;
  let keys = 0;
  beforeAll(async () => {
    etcd = await startEtcd({ args: QUICK_ELECTION });
    cut = await TcpProxy.start(etcd.port);
    const start = (endpoint: string) => startHttpNode({ open: openEtcdStorage, etcd: { endpoints: [endpoint] } });
    [a, b] = await Promise.all([start(cut.endpoint), start(etcd.endpoint)]);
  });
  afterAll(async () => {
    await a.stop();
    await b.stop();
    await cut.stop();
    await etcd.stop();
  });

  const newKey = (): string => `key-${++keys}`;
  async function send(
    url: string,
    method: string,
    path: string,
    body: string | undefined,
    headers: Record<string, string>,
  ): Promise<Answer> {
    const answer = await fetch(url + path, { method, headers, ...(body !== undefined && { body }) });
    return { status: answer.status, headers: answer.headers, text: await answer.text() };
  }
  const withKey = (key: string, more: Record<string, string> = {}) => ({ 'idempotency-key': key, ...more });
  const versionOf = async (thing: string): Promise<number> =>
    ((await (await fetch(`${b.url}/v1/things/${thing}/shadow`)).json()) as { version: number }).version;
  const OF_FIRST = ['content-type', 'etag', 'last-modified', 'umbra-revision'];
  /** All of an answer that a repetition must have too. */
  const shown = ({ status, headers, text }: Answer) => [status, text, ...OF_FIRST.map((name) => headers.get(name))];
  const isReplayed = ({ headers }: Answer): boolean => headers.get('idempotent-replayed') === 'true';

  const routes: readonly [string, string, string | undefined][] = [
    ['PATCH', '/v1/things/T/shadow', '{"state":{"desired":{"n":2}},"clientToken":"t"}'],
    ['PATCH', '/v1/things/T/shadow/desired', '{"n":2}'],
    ['PATCH', '/v1/things/T/shadow/reported', '{"n":2}'],
    ['PATCH', '/v1/things/T/shadow', '{"state":{"desired":{"n":2}},"version":1}'],
    ['POST', '/things/T/shadow', '{"state":{"desired":{"n":2}},"clientToken":"t"}'],
    ['DELETE', '/v1/things/T/shadow', '{"clientToken":"t"}'],
    ['DELETE', '/things/T/shadow', undefined],
  ];
  it.each(routes)('are carried out once: %s %s %s', async (method, path, body) => {
    const [thing, key] = [`once-${keys}`, newKey()];
    const url = path.replace('T', thing);
    const patch = `/v1/things/${thing}/shadow/desired`;
    const seed = () => send(b.url, 'PATCH', patch, `{"seed":${Math.random()}}`, {});
    await seed();
    const plain = await send(
      b.url,
      method,
      url.replace(thing, `${thing}-plain`),
      body?.replace(',"version":1', ''),
      {},
    );
    const first = await send(a.url, method, url, body, withKey(key));
    expect([first.status, isReplayed(first)]).toEqual([200, false]);
    // The answer has what one without a key has.
    if (method !== 'DELETE') expect([...first.headers.keys()].sort()).toEqual([...plain.headers.keys()].sort());
    await seed();
    const version = await versionOf(thing);
    for (const node of [b, a]) {
      const again = await send(node.url, method, url, body, withKey(key));
      expect(shown(again)).toEqual(shown(first));
      expect(isReplayed(again)).toBe(true);
    }
    expect(await versionOf(thing)).toBe(version);
    const other = await send(b.url, 'PATCH', patch, '{"other":1}', withKey(key));
    expect([other.status, other.text]).toEqual([422, expect.stringContaining('make a new one for each request')]);
    expect(await versionOf(thing)).toBe(version);
  });

  it('wait for the first one when they come at once, through any node', async () => {
    const key = newKey();
    const path = '/v1/things/herd/shadow/reported';
    const all = await Promise.all(
      Array.from({ length: 20 }, (_, i) => send((i % 2 ? a : b).url, 'PATCH', path, '{"n":1}', withKey(key))),
    );
    expect(new Set(all.map((each) => JSON.stringify(shown(each)))).size).toBe(1);
    expect(all.filter((each) => !isReplayed(each))).toHaveLength(1);
    expect([all[0]!.status, await versionOf('herd')]).toEqual([200, 1]);
  });

  it('of which two differ are carried out once, and the other is refused', async () => {
    const key = newKey();
    const bodies = Array.from({ length: 8 }, (_, n) => `{"n":${n}}`);
    const all = await Promise.all(
      bodies.map((body, i) => send((i % 2 ? a : b).url, 'PATCH', '/v1/things/race/shadow/desired', body, withKey(key))),
    );
    expect(all.map(({ status }) => status).sort()).toEqual([200, ...Array(7).fill(422)]);
    expect(await versionOf('race')).toBe(1);
  });

  it('get the first answer through another node when the answer of the first was lost', async () => {
    const door = await TcpProxy.start(a.port);
    const [key, path, body] = [newKey(), '/v1/things/lost/shadow/desired', '{"on":true}'];
    try {
      door.set('lose-responses');
      const first = send(door.endpoint, 'PATCH', path, body, withKey(key)).then(
        () => 'answered',
        () => 'lost',
      );
      await until('the first is carried out', async () => (await versionOf('lost')) === 1);
      door.set('refuse');
      expect(await first).toBe('lost');
    } finally {
      await door.stop();
    }
    const other = await send(b.url, 'PATCH', path, body, withKey(key, { 'if-none-match': '*' }));
    expect(other.status).toBe(422);
    const same = await send(b.url, 'PATCH', path, body, withKey(key));
    expect([same.status, isReplayed(same), JSON.parse(same.text).version]).toEqual([200, true, 1]);
    expect(await versionOf('lost')).toBe(1);
  });

  it('are carried out once when etcd committed and its answer was lost', async () => {
    const [key, path] = [newKey(), '/v1/things/doubt/shadow/reported'];
    await send(a.url, 'PATCH', path, '{"n":0}', {});
    const before = cut.cuts;
    cut.set('cut-on-response');
    const first = await send(a.url, 'PATCH', path, '{"n":1}', withKey(key));
    expect(cut.cuts).toBe(before + 1);
    expect([first.status, isReplayed(first), await versionOf('doubt')]).toEqual([200, false, 2]);
    const again = await send(b.url, 'PATCH', path, '{"n":1}', withKey(key));
    expect([isReplayed(again), shown(again)]).toEqual([true, shown(first)]);
  });

  it('are carried out once as JSON Patches, which would be refused the second time', async () => {
    const [key, path] = [newKey(), '/v1/things/patched/shadow/desired'];
    await send(b.url, 'PATCH', path, '{"n":1}', {});
    const body = '[{"op":"test","path":"/n","value":1},{"op":"replace","path":"/n","value":2}]';
    const type = { 'content-type': 'application/json-patch+json' };
    const first = await send(a.url, 'PATCH', path, body, withKey(key, type));
    expect([first.status, isReplayed(first)]).toEqual([200, false]);
    const again = await send(b.url, 'PATCH', path, body, withKey(key, type));
    expect([isReplayed(again), shown(again)]).toEqual([true, shown(first)]);
    expect((await send(b.url, 'PATCH', path, body, withKey(newKey(), type))).status).toBe(409);
    expect(await versionOf('patched')).toBe(2);
  });

  it('keep no refusal: what was refused may be tried again', async () => {
    const [key, path] = [newKey(), '/v1/things/late/shadow/desired'];
    const headers = withKey(key, { 'if-match': '"2"' });
    expect((await send(a.url, 'PATCH', path, '{"n":1}', headers)).status).toBe(412);
    for (const n of [1, 2]) await send(b.url, 'PATCH', path, `{"seed":${n}}`, {});
    const done = await send(a.url, 'PATCH', path, '{"n":1}', headers);
    expect([done.status, isReplayed(done)]).toEqual([200, false]);
    expect((await send(b.url, 'PATCH', path, '{"n":1}', headers)).text).toBe(done.text);
  });

  it('get their first answer also after the lease of the first has ended', async () => {
    const [key, path] = [newKey(), '/v1/things/leased/shadow/desired'];
    const taken = await send(a.url, 'POST', '/v1/leases', '{"things":["leased"]}', {});
    const { lease } = JSON.parse(taken.text) as { lease: string };
    const headers = withKey(key, { 'umbra-lease': lease });
    const first = await send(a.url, 'PATCH', path, '{"n":1}', headers);
    expect(first.status).toBe(200);
    await send(b.url, 'DELETE', `/v1/leases/${lease}`, undefined, {});
    for (const node of [a, b])
      expect(shown(await send(node.url, 'PATCH', path, '{"n":1}', headers))).toEqual(shown(first));
    const late = await send(a.url, 'PATCH', path, '{"n":1}', withKey(newKey(), { 'umbra-lease': lease }));
    expect(late.status).toBe(409);
    expect(await versionOf('leased')).toBe(1);
  });

  it('are kept under a lease of a day, a new one when etcd lost it', async () => {
    const path = '/v1/things/day/shadow/desired';
    const ttls = async (): Promise<Map<string, number>> => {
      const { leases } = await etcd.client.leaseClient.leaseLeases();
      const found = await Promise.all(
        leases.map(async ({ ID }) => [ID, Number((await etcd.client.leaseClient.leaseTimeToLive({ ID })).grantedTTL)]),
      );
      return new Map(found as [string, number][]);
    };
    await send(b.url, 'PATCH', path, '{"n":1}', withKey(newKey()));
    const ofAnswers = [...(await ttls())].filter(([, ttl]) => ttl === 87_000).map(([id]) => id);
    expect(ofAnswers.length).toBeGreaterThanOrEqual(1);
    for (const ID of ofAnswers) await etcd.client.leaseClient.leaseRevoke({ ID });
    const [key, body] = [newKey(), '{"n":2}'];
    const first = await send(b.url, 'PATCH', path, body, withKey(key));
    expect([first.status, isReplayed(await send(b.url, 'PATCH', path, body, withKey(key)))]).toEqual([200, true]);
  });

  it('are kept under a lease of minutes when they ask for no more, and are found by a repetition that does not', async () => {
    const [key, path] = [newKey(), '/v1/things/brief/shadow/desired'];
    const first = await send(a.url, 'PATCH', path, '{"n":1}', withKey(key, { 'idempotency-lifetime': '60' }));
    const everything = {
      key: Buffer.from('/'),
      range_end: Buffer.from('0'),
      sort_order: 'Descend',
      sort_target: 'Mod',
    };
    const { kvs } = await etcd.client.kv.range(everything as never);
    const kept = kvs.find(({ key: place }) => place.toString().includes('/idempotency/'))!;
    const { grantedTTL } = await etcd.client.leaseClient.leaseTimeToLive({ ID: kept.lease });
    expect(Number(grantedTTL)).toBe(360);
    const again = await send(b.url, 'PATCH', path, '{"n":1}', withKey(key));
    expect([isReplayed(again), shown(again)]).toEqual([true, shown(first)]);
    const bad = await send(b.url, 'PATCH', path, '{"n":2}', withKey(newKey(), { 'idempotency-lifetime': 'long' }));
    expect([bad.status, bad.text]).toEqual([400, expect.stringContaining('1 to 86400 seconds')]);
  });

  it('are carried out once as transactions, with the answer of the first at its revision', async () => {
    const body = JSON.stringify({
      operations: [
        {
          op: 'update',
          thing: 'tx-a',
          state: { desired: { n: 1 } },
          conditions: [{ path: '/desired/n', exists: false }],
        },
        { op: 'replace', thing: 'tx-b', section: 'reported', value: { n: 1 } },
        { op: 'check', thing: 'tx-c' },
        { op: 'check', thing: 'tx-none' },
      ],
      clientToken: 't',
    });
    await send(b.url, 'PATCH', '/v1/things/tx-c/shadow/desired', '{"n":0}', {});
    const key = newKey();
    const all = await Promise.all(
      Array.from({ length: 6 }, (_, i) => send((i % 2 ? a : b).url, 'POST', '/v1/transactions', body, withKey(key))),
    );
    const first = all.find((each) => !isReplayed(each))!;
    expect(all.map((each) => shown(each))).toEqual(Array(6).fill(shown(first)));
    const answer = JSON.parse(first.text) as { revision: number; results: object[]; clientToken: string };
    expect([first.status, first.headers.get('umbra-revision')]).toEqual([200, String(answer.revision)]);
    expect(answer).toMatchObject({
      results: [
        { op: 'update', thing: 'tx-a', version: 1, state: { desired: { n: 1 } } },
        { op: 'replace', thing: 'tx-b', version: 1, state: { reported: { n: 1 } } },
        { op: 'check', thing: 'tx-c', version: 1, state: { desired: { n: 0 } } },
        { op: 'check', thing: 'tx-none', version: null },
      ],
      clientToken: 't',
    });
    await send(b.url, 'PATCH', '/v1/things/tx-c/shadow/desired', '{"n":5}', {});
    expect(shown(await send(a.url, 'POST', '/v1/transactions', body, withKey(key)))).toEqual(shown(first));
    const anew = await send(b.url, 'POST', '/v1/transactions', body, withKey(newKey()));
    expect([anew.status, JSON.parse(anew.text)]).toEqual([412, expect.objectContaining({ operation: 0 })]);
    const checks = JSON.stringify({ operations: [{ op: 'check', thing: 'tx-c' }] });
    const looking = await send(a.url, 'POST', '/v1/transactions', checks, withKey(newKey()));
    expect([looking.status, looking.text]).toEqual([400, expect.stringContaining('only checks takes no Idempotency')]);
    expect([await versionOf('tx-a'), await versionOf('tx-b'), await versionOf('tx-c')]).toEqual([1, 1, 2]);
  });

  it('get their first answer although the shadows have become too large for them together', async () => {
    const names = Array.from({ length: 100 }, (_, i) => `tx-grown-${i}`);
    const body = (things: string[], desired: object) =>
      JSON.stringify({ operations: things.map((thing) => ({ op: 'update', thing, state: { desired } })) });
    const [key, sent] = [newKey(), body(names, { a: 'x'.repeat(3_000) })];
    const first = await send(a.url, 'POST', '/v1/transactions', sent, withKey(key));
    expect(first.status).toBe(200);
    for (const things of [names.slice(0, 50), names.slice(50)]) {
      const grown = await send(a.url, 'POST', '/v1/transactions', body(things, { b: 'x'.repeat(4_900) }), {});
      expect(grown.status).toBe(200);
    }
    expect((await send(a.url, 'POST', '/v1/transactions', sent, withKey(newKey()))).status).toBe(413);
    expect(shown(await send(a.url, 'POST', '/v1/transactions', sent, withKey(key)))).toEqual(shown(first));
  });

  it('keep no more than 32 KiB of the documents of a transaction', async () => {
    const state = { desired: { text: 'x'.repeat(7_000) } };
    const operations = Array.from({ length: 6 }, (_, i) => ({ op: 'update', thing: `tx-kept-${i}`, state }));
    const sent = [a.url, 'POST', '/v1/transactions', JSON.stringify({ operations }), withKey(newKey())] as const;
    const first = await send(...sent);
    const { results } = JSON.parse(first.text) as { results: { omitted?: string; version: number }[] };
    expect(results.map(({ version, omitted }) => [version, omitted])).toEqual([
      ...Array<unknown>(4).fill([1, undefined]),
      ...Array<unknown>(2).fill([1, 'too-large']),
    ]);
    expect(shown(await send(...sent))).toEqual(shown(first));
  });

  describe('to change in bulk', () => {
    const lines = (name: string, count: number) =>
      Array.from({ length: count }, (_, i) => ({ thing: `${name}-${i % (count - 9)}`, desired: { n: i } }));
    const made = (all: readonly BulkAnswerLine[]) =>
      all.flatMap(({ line, version, revision }) => (version === undefined ? [] : [{ line, version, revision }]));

    it('go on through another node where the first was cut off, with the first results of what it has done', async () => {
      const door = await TcpProxy.start(a.port);
      const [all, headers] = [lines('bulk', 400), withKey(newKey())];
      const first: BulkAnswerLine[] = [];
      try {
        const client = new BulkClient(door.endpoint, headers);
        client.send(...all.slice(0, 250), '{"thing":"bulk-1","desi');
        for await (const result of client.results()) if (first.push(result) >= 60) client.cut();
      } finally {
        await door.stop();
      }
      expect(made(first).length).toBeGreaterThanOrEqual(60);
      const again = await bulk(b.url, all, headers);
      const { reason, changed, replayed, refused } = again.at(-1)!.end!;
      expect([reason, changed, refused]).toEqual(['complete', 400, 0]);
      expect(replayed).toBeGreaterThanOrEqual(made(first).length);
      expect(made(again).slice(0, made(first).length)).toEqual(made(first));
      // Each line was carried out once, those of one shadow in their order.
      expect(await Promise.all([0, 5, 8, 9, 390].map((n) => versionOf(`bulk-${n}`)))).toEqual([2, 2, 2, 1, 1]);
      const last = (await (await fetch(`${a.url}/v1/things/bulk-8/shadow`)).json()) as { state: { desired: object } };
      expect(last.state.desired).toEqual({ n: 399 });
      const third = await bulk(a.url, all, headers);
      expect([made(third), third.at(-1)!.end!.replayed]).toEqual([made(again), 400]);
    });

    it('are told apart by the ids of their lines, or else by their numbers', async () => {
      const headers = withKey(newKey());
      const on = { thing: 'bulk-id', desired: { n: 1 } };
      const first = await bulk(a.url, [{ id: '2', ...on }, on], headers);
      expect(made(first).map(({ version }) => version)).toEqual([1, 2]);
      const again = await bulk(
        b.url,
        [{ ...on, thing: 'bulk-new' }, on, { id: '2', ...on }, { id: '2', ...on, version: 1 }],
        headers,
      );
      const shown = again.map(({ version, replayed, error }) => [version, replayed, error?.status]);
      expect(shown.slice(0, 4)).toEqual([
        [1, undefined, undefined],
        [2, true, undefined],
        [1, true, undefined],
        [undefined, undefined, 422],
      ]);
      const bad = await send(a.url, 'POST', '/v1/bulk', '', withKey('a b'));
      expect([bad.status, bad.text]).toEqual([400, expect.stringContaining('1 to 255 visible ASCII characters')]);
    });

    it.each([true, false])('are held to their lease, and stop when it has ended; with a key: %s', async (isKeyed) => {
      const taken = await send(a.url, 'POST', '/v1/leases', '{"things":["bulk-held-*"]}', {});
      const { lease } = JSON.parse(taken.text) as { lease: string };
      const headers = { 'umbra-lease': lease, ...(isKeyed && withKey(newKey())) };
      const client = new BulkClient(a.url, headers);
      const results = client.results();
      client.send({ thing: 'bulk-held-1', desired: { n: 1 } }, { thing: 'bulk-free', desired: { n: 1 } });
      expect([(await results.next()).value, (await results.next()).value]).toMatchObject([
        { line: 1, version: expect.any(Number) as number },
        { line: 2, error: { type: 'urn:umbra:problem:lease-not-covering', status: 409 } },
      ]);
      await send(b.url, 'DELETE', `/v1/leases/${lease}`, undefined, {});
      client.send({ thing: 'bulk-held-2', desired: { n: 1 } });
      expect([(await results.next()).value, (await results.next()).value]).toMatchObject([
        { line: 3, error: { type: 'urn:umbra:problem:lease-ended' } },
        { end: { reason: 'lease-ended', lines: 3, changed: 1, refused: 2 } },
      ]);
      expect((await results.next()).done).toBe(true);
    });
  });

  it('are refused with a bad key, and where nothing is kept', async () => {
    for (const key of ['a b', 'x'.repeat(256), '']) {
      const bad = await send(a.url, 'PATCH', '/v1/things/bad/shadow/desired', '{"n":1}', withKey(key));
      expect([bad.status, bad.text]).toEqual([400, expect.stringContaining('1 to 255 visible ASCII characters')]);
    }
    const thing = await send(a.url, 'DELETE', '/v1/things/bad', undefined, withKey(newKey()));
    expect([thing.status, thing.text]).toEqual([400, expect.stringContaining('takes no Idempotency-Key')]);
  });
});
