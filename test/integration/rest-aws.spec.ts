import { startHttpNode, type HttpNode } from '../harness/http-node.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe('the AWS data plane over HTTP', () => {
  let node: HttpNode;
  beforeAll(async () => (node = await startHttpNode()));
  afterAll(() => node.stop());

  const send = (method: string, path: string, body?: string | Uint8Array, headers: Record<string, string> = {}) =>
    fetch(node.url + path, { method, headers, ...(body !== undefined && { body: body as never }) });
  const update = (path: string, body: unknown, headers?: Record<string, string>) =>
    send('POST', path, JSON.stringify(body), headers);

  async function expectRefusal(response: Response, status: number, type: string, message: RegExp): Promise<void> {
    const body = (await response.json()) as Record<string, unknown>;
    expect({ status: response.status, body }).toEqual({
      status,
      body: { message: expect.stringMatching(message), traceId: expect.stringMatching(UUID) },
    });
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(response.headers.get('x-amzn-errortype')).toBe(`${type}:`);
    expect(response.headers.get('x-amzn-requestid')).toBe(body['traceId']);
  }

  it('updates, gets and deletes, and names every answer', async () => {
    node.clock.set(1_700_000_000_000);
    const updated = await update('/things/t1/shadow', { state: { desired: { led: 'on' } }, clientToken: 'tok' });
    expect(updated.status).toBe(200);
    expect(updated.headers.get('content-type')).toBe('application/json');
    expect(updated.headers.get('x-amzn-requestid')).toMatch(UUID);
    expect(updated.headers.get('x-amzn-requestid')).toBe(updated.headers.get('x-request-id'));
    expect(await updated.json()).toEqual({
      state: { desired: { led: 'on' } },
      metadata: { desired: { led: { timestamp: 1_700_000_000 } } },
      version: 1,
      timestamp: 1_700_000_000,
      clientToken: 'tok',
    });
    const got = await send('GET', '/things/t1/shadow');
    expect(got.headers.get('content-type')).toBe('application/json');
    expect(await got.json()).toEqual({
      state: { desired: { led: 'on' }, delta: { led: 'on' } },
      metadata: { desired: { led: { timestamp: 1_700_000_000 } } },
      version: 1,
      timestamp: 1_700_000_000,
    });
    const deleted = await send('DELETE', '/things/t1/shadow', '{"clientToken":"d"}');
    expect(await deleted.json()).toEqual({ version: 1, timestamp: 1_700_000_000, clientToken: 'd' });
    await expectRefusal(
      await send('GET', '/things/t1/shadow'),
      404,
      'ResourceNotFoundException',
      /^No shadow exists with name: 't1'$/,
    );
  });

  it('keeps named shadows apart, whatever they are called', async () => {
    for (const name of ['update', 'name', '$x', 'a:b_c-1']) {
      const query = `?name=${encodeURIComponent(name)}`;
      expect((await update(`/things/named/shadow${query}`, { state: { reported: { name } } })).status).toBe(200);
      const body = (await (await send('GET', `/things/named/shadow${query}`)).json()) as Record<string, unknown>;
      expect(body).toMatchObject({ state: { reported: { name } }, version: 1 });
    }
    const classic = await send('GET', '/things/named/shadow');
    expect(classic.status).toBe(404);
  });

  it('takes names percent-encoded or not', async () => {
    await update('/things/a%3Ab_c-1/shadow?name=%24x', { state: { reported: { a: 1 } } });
    const response = await send('GET', '/things/a:b_c-1/shadow?name=$x');
    expect(response.status).toBe(200);
  });

  it.each([
    ['no content type', null],
    ['JSON', 'application/json'],
    ['bytes', 'application/octet-stream'],
    ['a form', 'application/x-www-form-urlencoded'],
    ['a text in another charset', 'text/plain; charset=utf-16'],
    ['nonsense', ';;;'],
  ])('reads the bytes of a body with %s as its type', async (_name, type) => {
    const body = new TextEncoder().encode('{"state":{"reported":{"a":"é"}}}');
    const response = await send('POST', '/things/types/shadow', body, type === null ? {} : { 'content-type': type });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ state: { reported: { a: 'é' } } });
  });

  it.each(['GET', 'POST', 'DELETE'])('has no path without a thing: %s', async (method) => {
    const response = await send(method, '/things//shadow');
    expect([response.status, response.headers.get('x-amzn-errortype')]).toEqual([404, 'ResourceNotFoundException:']);
  });

  it('does not mind a signature that it does not check', async () => {
    const authorization =
      'AWS4-HMAC-SHA256 Credential=AKID/20231114/eu-west-1/iotdata/aws4_request, SignedHeaders=host, Signature=0';
    const response = await update(
      '/things/signed/shadow',
      { state: {} },
      { authorization, 'x-amz-date': '20231114T221320Z' },
    );
    expect(response.status).toBe(200);
  });

  it('lets no page of another site change anything, and tells no page that it may read', async () => {
    const origin = 'http://evil.example';
    for (const method of ['POST', 'DELETE', 'PATCH']) {
      const path = method === 'PATCH' ? '/v1/things/csrf/shadow' : '/things/csrf/shadow';
      const refused = await fetch(`${node.url}${path}`, { method, body: '{"state":{}}', headers: { origin } });
      expect([method, refused.status]).toEqual([method, 403]);
      expect(refused.headers.get('x-request-id')).toBeTruthy();
    }
    const read = await fetch(`${node.url}/things/csrf/shadow`, { headers: { origin } });
    expect([read.status, read.headers.get('access-control-allow-origin')]).toEqual([404, null]);
    const own = await fetch(`${node.url}/things/csrf/shadow`, {
      method: 'POST',
      body: '{"state":{}}',
      headers: { origin: node.url },
    });
    expect(own.status).toBe(200);
  });

  it('treats hostile member names as data', async () => {
    const text = '{"state":{"desired":{"__proto__":{"x":1},"constructor":1,"a.b":2,"$set":3,"":4}}}';
    expect((await send('POST', '/things/hostile/shadow', text)).status).toBe(200);
    const body = await (await send('GET', '/things/hostile/shadow')).text();
    expect(body).toContain('"desired":{"__proto__":{"x":1},"constructor":1,"a.b":2,"$set":3,"":4}');
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });

  const thing129 = 'a'.repeat(129);
  const shadow65 = 's'.repeat(65);
  it.each([
    [
      'GET',
      '/things/none/shadow?name=door',
      404,
      'ResourceNotFoundException',
      /^No shadow exists with name: 'none~door'$/,
    ],
    ['DELETE', '/things/none/shadow', 404, 'ResourceNotFoundException', /^No shadow exists with name: 'none'$/],
    ['GET', '/things/t1/shadow?name=', 400, 'InvalidRequestException', /^Invalid shadow name/],
    ['GET', '/things/t1/shadow?name=a%20b', 400, 'InvalidRequestException', /^Invalid shadow name/],
    ['GET', '/things/t1/shadow?name=a%00b', 400, 'InvalidRequestException', /^Invalid shadow name/],
    ['GET', `/things/t1/shadow?name=${shadow65}`, 400, 'InvalidRequestException', /^Invalid shadow name/],
    [
      'GET',
      '/things/t1/shadow?name=a&name=b',
      400,
      'InvalidRequestException',
      /^name must be given once, not 2 times$/,
    ],
    ['GET', '/things/t%20x/shadow', 400, 'InvalidRequestException', /^Invalid thing name/],
    ['GET', '/things/t%2Fx/shadow', 400, 'InvalidRequestException', /^Invalid thing name/],
    ['GET', `/things/${thing129}/shadow`, 400, 'InvalidRequestException', /^Invalid thing name/],
    ['GET', `/things/${'%41'.repeat(129)}/shadow`, 400, 'InvalidRequestException', /^Invalid thing name/],
    ['GET', `/things/${'a'.repeat(5000)}/shadow`, 400, 'InvalidRequestException', /^Invalid thing name/],
    ['GET', '/things/%zz/shadow', 400, 'InvalidRequestException', /valid url component/],
    ['GET', '/things/t1/shadow/extra', 404, 'ResourceNotFoundException', /^No such path: \/things\/t1\/shadow\/extra$/],
    ['GET', '/things', 404, 'ResourceNotFoundException', /^No such path: \/things$/],
    ['GET', '/api/other', 404, 'ResourceNotFoundException', /^No such path/],
    ['POST', '/topics/a%2Fb?qos=1', 404, 'ResourceNotFoundException', /^No such path: \/topics/],
    ['PUT', '/things/t1/shadow', 405, 'MethodNotAllowedException', /^Method not allowed; use DELETE, GET, HEAD, POST$/],
    ['PATCH', '/things/t1/shadow', 405, 'MethodNotAllowedException', /^Method not allowed/],
    ['OPTIONS', '/things/t1/shadow', 405, 'MethodNotAllowedException', /^Method not allowed/],
    ['POST', '/api/things/shadow/ListNamedShadowsForThing/t1', 405, 'MethodNotAllowedException', /use GET, HEAD$/],
  ] as const)('%s %s is %i %s', async (method, path, status, type, message) => {
    await expectRefusal(await send(method, path), status, type, message);
  });

  it('has no QUERY, whatever it brings', async () => {
    await expectRefusal(
      await send('QUERY', '/things/t1/shadow', '{}'),
      405,
      'MethodNotAllowedException',
      /^Method not/,
    );
  });

  it('says which methods there are', async () => {
    const response = await send('PUT', '/things/t1/shadow', '{}');
    expect(response.headers.get('allow')).toBe('DELETE, GET, HEAD, POST');
  });

  const big = (bytes: number) => JSON.stringify({ state: { reported: { blob: 'x'.repeat(bytes) } } });
  it.each([
    ['no body', undefined, 400, 'InvalidRequestException', /invalid json/i],
    ['broken JSON', '{"state":', 400, 'InvalidRequestException', /invalid json/i],
    ['no state', '{}', 400, 'InvalidRequestException', /^Missing required node: state$/],
    [
      'another section',
      '{"state":{"delta":{}}}',
      400,
      'InvalidRequestException',
      /^State contains an invalid node: 'delta'$/,
    ],
    ['a bad version', '{"state":{},"version":"1"}', 400, 'InvalidRequestException', /^Invalid version$/],
    ['a number beyond a double', '{"state":{"desired":{"a":1e400}}}', 400, 'InvalidRequestException', /64-bit/],
    [
      '800 levels',
      `{"state":{"desired":{"a":${'['.repeat(800)}${']'.repeat(800)}}}}`,
      400,
      'InvalidRequestException',
      /levels of nesting/,
    ],
    ['the wrong version', '{"state":{},"version":7}', 409, 'ConflictException', /^Version conflict$/],
    ['40 KB', big(40_000), 413, 'RequestEntityTooLargeException', /^The payload exceeds the maximum size allowed$/],
    ['200 KB', big(200_000), 413, 'RequestEntityTooLargeException', /^The payload exceeds the maximum size allowed$/],
    ['4 MB', big(4_000_000), 413, 'RequestEntityTooLargeException', /^The payload exceeds the maximum size allowed$/],
    [
      'UTF-16',
      new Uint8Array(Buffer.from('\ufeff{"state":{}}', 'utf16le')),
      415,
      'UnsupportedDocumentEncodingException',
      /UTF-8$/,
    ],
  ] as const)('refuses an update with %s, and leaves no shadow', async (_name, body, status, type, message) => {
    await expectRefusal(await send('POST', '/things/refused/shadow', body), status, type, message);
    expect((await send('GET', '/things/refused/shadow')).status).toBe(404);
  });

  it('answers HEAD as GET, without a body', async () => {
    await update('/things/head/shadow', { state: {} });
    const head = await send('HEAD', '/things/head/shadow');
    const get = await send('GET', '/things/head/shadow');
    expect([head.status, head.headers.get('content-length')]).toEqual([200, get.headers.get('content-length')]);
    expect(await head.text()).toBe('');
    expect((await send('HEAD', '/things/none/shadow')).status).toBe(404);
  });

  describe('ListNamedShadowsForThing', () => {
    const list = '/api/things/shadow/ListNamedShadowsForThing';
    const names = Array.from({ length: 30 }, (_, i) => `s${String(i).padStart(2, '0')}`);
    beforeAll(async () => {
      await update('/things/many/shadow', { state: {} });
      for (const name of names) await update(`/things/many/shadow?name=${name}`, { state: {} });
      await update('/things/many/shadow?name=gone', { state: {} });
      await send('DELETE', '/things/many/shadow?name=gone');
    });

    it('pages through all names, the classic and the deleted ones left out', async () => {
      const seen: string[] = [];
      let token: string | undefined;
      let pages = 0;
      do {
        const query = token === undefined ? '' : `&nextToken=${encodeURIComponent(token)}`;
        const response = await send('GET', `${list}/many?pageSize=7${query}`);
        const page = (await response.json()) as { results: string[]; nextToken?: string; timestamp: number };
        expect(page.timestamp).toBe(Math.floor(node.clock.now() / 1000));
        expect(page.results.length).toBeLessThanOrEqual(7);
        seen.push(...page.results);
        token = page.nextToken;
        pages++;
      } while (token !== undefined && pages < 20);
      expect(seen).toEqual(names);
    });

    it('has 25 names on a page, and none for a thing that is not known', async () => {
      const page = (await (await send('GET', `${list}/many`)).json()) as { results: string[] };
      expect(page.results).toEqual(names.slice(0, 25));
      const unknown = await send('GET', `${list}/unknown`);
      expect([unknown.status, await unknown.json()]).toEqual([200, { results: [], timestamp: expect.any(Number) }]);
    });

    it.each([
      ['pageSize=0', /^pageSize must/],
      ['pageSize=101', /^pageSize must/],
      ['pageSize=', /^pageSize must/],
      ['pageSize=1e1', /^pageSize must/],
      ['pageSize=-1', /^pageSize must/],
      ['pageSize=5&pageSize=6', /^pageSize must/],
      ['nextToken=', /^nextToken must/],
      ['nextToken=a&nextToken=b', /^nextToken must/],
      ['nextToken=not-one-of-ours', /^Invalid nextToken: pass the value of the page before unchanged, or none$/],
    ])('refuses ?%s', async (query, message) => {
      await expectRefusal(await send('GET', `${list}/many?${query}`), 400, 'InvalidRequestException', message);
    });

    it('refuses a bad thing name', async () => {
      await expectRefusal(await send('GET', `${list}/a%20b`), 400, 'InvalidRequestException', /^Invalid thing name/);
    });
  });
});

describe('what the store says no to', () => {
  it('hides an unknown error behind a request id, and logs it', async () => {
    const lines: string[] = [];
    const { pino } = await import('pino');
    const logger = pino({ level: 'error' }, { write: (line: string) => void lines.push(line) });
    const broken = new Error('secret inside');
    const node = await startHttpNode({
      logger,
      wrap: (store) => Object.assign(Object.create(store) as typeof store, { get: () => Promise.reject(broken) }),
    });
    try {
      for (const path of ['/things/t/shadow', '/v1/things/t/shadow']) {
        const response = await fetch(node.url + path);
        const text = await response.text();
        expect(response.status).toBe(500);
        expect(text).toContain('Internal service failure');
        expect(text).not.toContain('secret');
        const id = response.headers.get('x-amzn-requestid');
        expect(lines.some((line) => line.includes(String(id)) && line.includes('secret inside'))).toBe(true);
      }
    } finally {
      await node.stop();
    }
  });

  it.each([
    ['storageUnavailable', 503, 'ServiceUnavailableException'],
    ['outcomeUnknown', 503, 'ServiceUnavailableException'],
    ['tooManyRequests', 429, 'ThrottlingException'],
  ] as const)('answers %s with %i %s and when to try again', async (code, status, type) => {
    const { ServiceError } = await import('../../src/errors/service-error.js');
    const node = await startHttpNode({
      wrap: (store) =>
        Object.assign(Object.create(store) as typeof store, {
          update: () => Promise.reject(new ServiceError(code, 'x')),
        }),
    });
    try {
      const response = await fetch(`${node.url}/things/t/shadow`, { method: 'POST', body: '{"state":{}}' });
      expect([response.status, response.headers.get('x-amzn-errortype'), response.headers.get('retry-after')]).toEqual([
        status,
        `${type}:`,
        '1',
      ]);
    } finally {
      await node.stop();
    }
  });
});
