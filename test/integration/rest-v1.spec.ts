import { startHttpNode, type HttpNode } from '../harness/http-node.js';

describe('our own API over HTTP', () => {
  let node: HttpNode;
  beforeAll(async () => (node = await startHttpNode()));
  afterAll(() => node.stop());

  const send = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
    fetch(`${node.url}/v1${path}`, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) });
  const bodyOf = async (response: Response) => (await response.json()) as Record<string, unknown>;
  let count = 0;
  /** A thing whose classic shadow is at version 3. */
  async function atVersion3(): Promise<string> {
    const thing = `v3-${++count}`;
    for (const led of ['on', 'off', 'on'])
      await send('PATCH', `/things/${thing}/shadow`, { state: { desired: { led } } });
    return `/things/${thing}/shadow`;
  }

  it('answers a patch with the whole document', async () => {
    await send('PATCH', '/things/lamp/shadow', { state: { reported: { led: 'off', x: 1 } } });
    const response = await send('PATCH', '/things/lamp/shadow', {
      state: { desired: { led: 'on' } },
      clientToken: 't',
    });
    expect([response.status, response.headers.get('etag')]).toEqual([200, '"2"']);
    expect(response.headers.get('content-type')).toBe('application/json');
    const document = await bodyOf(response);
    expect(document).toMatchObject({
      state: { desired: { led: 'on' }, reported: { led: 'off', x: 1 }, delta: { led: 'on' } },
      version: 2,
      clientToken: 't',
    });
    const got = await send('GET', '/things/lamp/shadow');
    expect(got.headers.get('etag')).toBe('"2"');
    const rest = { ...document };
    delete rest['clientToken'];
    expect(await bodyOf(got)).toEqual(rest);
  });

  it('sees the same shadows as the AWS data plane', async () => {
    await fetch(`${node.url}/things/both/shadow?name=n`, { method: 'POST', body: '{"state":{"reported":{"a":1}}}' });
    expect(await bodyOf(await send('GET', '/things/both/shadow?name=n'))).toMatchObject({
      state: { reported: { a: 1 } },
    });
  });

  describe('merge patches of one section', () => {
    it('merges as RFC 7396, null removing members', async () => {
      await send('PATCH', '/things/merge/shadow/desired', { a: 1, b: { c: 2, d: 3 } });
      const response = await send(
        'PATCH',
        '/things/merge/shadow/desired',
        { a: null, b: { d: null }, e: [1] },
        {
          'content-type': 'application/merge-patch+json',
        },
      );
      expect(await bodyOf(response)).toMatchObject({ state: { desired: { b: { c: 2 }, e: [1] } }, version: 2 });
    });

    it('clears the section for null, and leaves the other', async () => {
      await send('PATCH', '/things/clear/shadow', { state: { desired: { a: 1 }, reported: { b: 2 } } });
      const body = await bodyOf(await send('PATCH', '/things/clear/shadow/reported', null));
      expect(body['state']).toEqual({ desired: { a: 1 }, delta: { a: 1 } });
    });

    it('refuses what is no number, or too deep, as an update does, and overlooks a byte order mark', async () => {
      const url = `${node.url}/v1/things/section-bounds/shadow/desired`;
      const patch = async (body: string) => {
        const response = await fetch(url, { method: 'PATCH', body });
        const { type, state } = await bodyOf(response);
        return [response.status, type ?? state];
      };
      const nested = (levels: number) => `{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`;
      expect(await patch('{"a":1,"b":1}')).toMatchObject([200, { desired: { a: 1, b: 1 } }]);
      expect(await patch('{"a":1e400}')).toEqual([400, 'urn:umbra:problem:number-too-large']);
      expect(await patch(nested(3_000))).toEqual([400, 'urn:umbra:problem:too-deep']);
      expect(await patch(nested(200_000))).toEqual([413, 'urn:umbra:problem:too-large']);
      expect(await patch('\uFEFF{"b":2}')).toMatchObject([200, { desired: { a: 1, b: 2 } }]);
    });

    it('takes named shadows and conditions', async () => {
      await send('PATCH', '/things/cond/shadow/reported?name=n', { a: 1 });
      const stale = await send('PATCH', '/things/cond/shadow/reported?name=n', { a: 2 }, { 'if-match': '"9"' });
      expect(stale.status).toBe(412);
    });

    it.each([
      ['[1]', 400, 'Desired node must be an object'],
      ['7', 400, 'Desired node must be an object'],
      ['{', 400, /^Invalid JSON at line 1, column 2: expected a member name/],
      ['', 400, 'Invalid JSON: the body is empty'],
      // Nothing but one JSON value gets into the update that is made of it.
      ['{}},"version":0,"x":{"y":{}', 400, /^Invalid JSON at line 1, column 3: expected the end/],
      ['{"a":[null]}', 400, /^Array contains null/],
    ])('refuses %s', async (body, status, detail) => {
      const response = await fetch(`${node.url}/v1/things/bad/shadow/desired`, { method: 'PATCH', body });
      expect(response.status).toBe(status);
      expect((await bodyOf(response))['detail']).toEqual(
        detail instanceof RegExp ? expect.stringMatching(detail) : detail,
      );
    });
  });

  describe('JSON Patches', () => {
    const JSON_PATCH = { 'content-type': 'application/json-patch+json; charset=utf-8' };
    const patch = (path: string, operations: unknown, headers = {}) =>
      send('PATCH', path, operations, { ...JSON_PATCH, ...headers });

    it('change elements of arrays, under conditions, and answer with the document', async () => {
      const path = '/things/json-patch/shadow';
      const added = await patch(`${path}/desired`, [{ op: 'add', path: '/colors', value: ['red', 'blue'] }]);
      expect([added.status, added.headers.get('etag')]).toEqual([200, '"1"']);
      const operations = [
        { op: 'test', path: '/desired/colors/0', value: 'red' },
        { op: 'replace', path: '/desired/colors/0', value: 'green' },
        { op: 'copy', from: '/desired/colors', path: '/reported/colors' },
      ];
      expect((await patch(path, operations, { 'if-match': '"2"' })).status).toBe(412);
      const { state } = await bodyOf(await patch(path, operations, { 'if-match': '"1"' }));
      expect(state).toEqual({ desired: { colors: ['green', 'blue'] }, reported: { colors: ['green', 'blue'] } });
      const refused = await patch(path, operations);
      const detail = expect.stringContaining('operation [0], test /desired/colors/0') as unknown;
      expect([refused.status, await bodyOf(refused)]).toMatchObject([
        409,
        { type: 'urn:umbra:problem:patch-failed', detail },
      ]);
      expect((await send('GET', path)).headers.get('etag')).toBe('"2"');
    });

    it('are computed on the document that they replace', async () => {
      const path = '/things/json-patches/shadow/reported';
      await patch(path, [{ op: 'add', path: '/list', value: [] }]);
      const numbers = Array.from({ length: 20 }, (_, i) => i);
      await Promise.all(numbers.map((value) => patch(path, [{ op: 'add', path: '/list/-', value }])));
      const { state } = await bodyOf(await send('GET', '/things/json-patches/shadow'));
      const { list } = (state as { reported: { list: number[] } }).reported;
      expect(list.sort((a, b) => a - b)).toEqual(numbers);
    });

    it('are the only other format', async () => {
      for (const type of ['application/xml-patch+xml', 'application/json-patch']) {
        const response = await send('PATCH', '/things/formats/shadow/desired', {}, { 'content-type': type });
        expect([response.status, response.headers.get('accept-patch')]).toEqual([
          415,
          'application/merge-patch+json, application/json-patch+json',
        ]);
      }
      const invalid = await patch('/things/formats/shadow/desired', { a: 1 });
      expect([invalid.status, (await bodyOf(invalid))['type']]).toEqual([400, 'urn:umbra:problem:invalid-patch']);
    });
  });

  describe('conditions', () => {
    it.each([
      // header, tag, GET, PATCH, DELETE
      ['if-match', '"3"', 200, 200, 200],
      ['if-match', '"2"', 412, 412, 412],
      ['if-match', '"2", "3"', 200, 200, 200],
      ['if-match', 'W/"3"', 412, 412, 412],
      ['if-match', '*', 200, 200, 200],
      ['if-none-match', '"3"', 304, 412, 412],
      ['if-none-match', 'W/"3"', 304, 412, 412],
      ['if-none-match', '"2", "3"', 304, 412, 412],
      ['if-none-match', '"2"', 200, 200, 200],
      ['if-none-match', '*', 304, 412, 412],
      ['if-match', '3', 400, 400, 400],
      ['if-none-match', '"3', 400, 400, 400],
      ['if-match', '', 400, 400, 400],
    ])('%s: %s on a shadow at version 3', async (header, tag, get, patch, remove) => {
      const path = await atVersion3();
      const headers = { [header]: tag };
      const got = await send('GET', path, undefined, headers);
      expect(got.status).toBe(get);
      if (get === 304) expect([got.headers.get('etag'), await got.text()]).toEqual(['"3"', '']);
      const patched = await send('PATCH', path, { state: { reported: { a: 1 } } }, headers);
      expect(patched.status).toBe(patch);
      const version = (await bodyOf(await send('GET', path)))['version'];
      expect(version).toBe(patch === 200 ? 4 : 3);
      const other = await atVersion3();
      expect((await send('DELETE', other, undefined, headers)).status).toBe(remove);
      expect((await send('GET', other)).status).toBe(remove === 200 ? 404 : 200);
    });

    it.each([
      ['if-match', '*', 404, 412, 412],
      ['if-match', '"1"', 404, 412, 412],
      ['if-none-match', '*', 404, 200, 404],
      ['if-none-match', '"1"', 404, 200, 404],
    ])('%s: %s on a shadow that is not there', async (header, tag, get, patch, remove) => {
      const headers = { [header]: tag };
      const path = `/things/none-${++count}/shadow`;
      expect((await send('GET', path, undefined, headers)).status).toBe(get);
      expect((await send('DELETE', path, undefined, headers)).status).toBe(remove);
      expect((await send('PATCH', path, { state: {} }, headers)).status).toBe(patch);
    });

    it('creates once only, also where a deleted one was', async () => {
      const path = `/things/once-${++count}/shadow`;
      const create = () => send('PATCH', path, { state: {} }, { 'if-none-match': '*' });
      expect([(await create()).status, (await create()).status]).toEqual([200, 412]);
      await send('DELETE', path);
      expect((await create()).status).toBe(200);
    });

    it('lets one of many writers with the same version through', async () => {
      const path = await atVersion3();
      const writes = Array.from({ length: 20 }, (_, i) =>
        send('PATCH', path, { state: { reported: { winner: i } } }, { 'if-match': '"3"' }),
      );
      const statuses = (await Promise.all(writes)).map(({ status }) => status);
      expect(statuses.filter((status) => status === 200)).toHaveLength(1);
      expect(statuses.filter((status) => status === 412)).toHaveLength(19);
    });
  });

  describe('lists', () => {
    it('lists the shadows of a thing, and whether there is a classic one', async () => {
      await send('PATCH', '/things/list/shadow?name=b', { state: {} });
      await send('PATCH', '/things/list/shadow?name=a', { state: {} });
      expect(await bodyOf(await send('GET', '/things/list/shadows'))).toEqual({
        thing: 'list',
        classic: false,
        names: ['a', 'b'],
      });
      await send('PATCH', '/things/list/shadow', { state: {} });
      const first = await bodyOf(await send('GET', '/things/list/shadows?limit=1'));
      expect(first).toEqual({ thing: 'list', classic: true, names: ['a'], next: expect.any(String) });
      const second = await bodyOf(await send('GET', `/things/list/shadows?limit=1&after=${String(first['next'])}`));
      expect(second).toMatchObject({ names: ['b'] });
    });

    it('lists things page by page, each once', async () => {
      const things = Array.from({ length: 12 }, (_, i) => `page-${i}`);
      for (const thing of things) await send('PATCH', `/things/${thing}/shadow`, { state: {} });
      const seen: string[] = [];
      let after = '';
      do {
        const page = await bodyOf(await send('GET', `/things?limit=5${after}`));
        const rows = page['things'] as { thing: string; classic: boolean; names: string[] }[];
        expect(rows.length).toBeLessThanOrEqual(5);
        seen.push(...rows.map(({ thing }) => thing));
        after = typeof page['next'] === 'string' ? `&after=${encodeURIComponent(page['next'])}` : '';
      } while (after !== '' && seen.length < 1000);
      expect(new Set(seen).size).toBe(seen.length);
      expect(seen).toEqual(expect.arrayContaining(things));
    });

    it('tells everything that is wrong with a query at once', async () => {
      const response = await send('GET', '/things?limit=0&after=');
      expect([response.status, response.headers.get('content-type')]).toEqual([400, 'application/problem+json']);
      expect(await bodyOf(response)).toEqual({
        type: 'urn:umbra:problem:invalid-request',
        title: 'Invalid request',
        status: 400,
        detail: expect.stringContaining('limit must be given once, as a whole number from 1 to 100'),
        instance: `urn:uuid:${response.headers.get('x-request-id')}`,
        requestId: response.headers.get('x-request-id'),
        errors: [
          { parameter: 'limit', message: 'limit must be given once, as a whole number from 1 to 100' },
          { parameter: 'after', message: 'after must be given once, as the page before gave it' },
        ],
      });
    });
  });

  it.each([
    ['GET', '/things/none/shadow', 404, 'urn:umbra:problem:not-found', "No shadow exists with name: 'none'"],
    ['GET', '/things/a%20b/shadow', 400, 'urn:umbra:problem:invalid-thing-name', /^Invalid thing name/],
    ['GET', '/things/a/shadow?name=', 400, 'urn:umbra:problem:invalid-shadow-name', /^Invalid shadow name/],
    ['GET', '/nothing', 404, 'urn:umbra:problem:no-route', 'No such path: /v1/nothing'],
    [
      'POST',
      '/things/a/shadow',
      405,
      'urn:umbra:problem:method-not-allowed',
      'Method not allowed; use DELETE, GET, HEAD, PATCH',
    ],
    ['PUT', '/things', 405, 'urn:umbra:problem:method-not-allowed', 'Method not allowed; use GET, HEAD'],
  ])('%s %s is %i %s', async (method, path, status, type, detail) => {
    const response = await send(method, path);
    const body = await bodyOf(response);
    expect([response.status, body['status'], body['type']]).toEqual([status, status, type]);
    expect(body['detail']).toEqual(detail instanceof RegExp ? expect.stringMatching(detail) : detail);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(response.headers.get('x-amzn-errortype')).toBeNull();
  });

  it('names the paths of the sections to a patch that forgot `state`, and keeps its token', async () => {
    const response = await send('PATCH', '/things/forgot/shadow', { power: 'on', clientToken: 'mine' });
    expect([response.status, await bodyOf(response)]).toEqual([
      400,
      expect.objectContaining({
        type: 'urn:umbra:problem:missing-state',
        detail:
          'Missing required node: state; to change members of one section, send them to …/shadow/desired or …/shadow/reported',
        clientToken: 'mine',
      }),
    ]);
  });

  it.each(['/things?after=made-up', '/things/t/shadows?after=made-up'])('names `after` to %s', async (path) => {
    const message = 'Invalid after: pass the value of the page before unchanged, or none';
    const response = await send('GET', path);
    expect([response.status, await bodyOf(response)]).toEqual([
      400,
      expect.objectContaining({ detail: message, errors: [{ parameter: 'after', message }] }),
    ]);
  });

  it('leads from the bare address to the page that explains it', async () => {
    const response = await fetch(`${node.url}/`, { redirect: 'manual' });
    expect([response.status, response.headers.get('location')]).toEqual([302, '/docs']);
  });

  it('echoes the token of a refused update', async () => {
    const path = await atVersion3();
    const response = await send('PATCH', path, { state: {}, version: 1, clientToken: 'mine' });
    expect(await bodyOf(response)).toMatchObject({ status: 409, detail: 'Version conflict', clientToken: 'mine' });
  });
});
