import { readFile } from 'node:fs/promises';
import { Ajv2020, type AnySchema } from 'ajv/dist/2020.js';
import type { FastifyInstance } from 'fastify';
import { startHttpNode, type HttpNode } from '../harness/http-node.js';

interface Content {
  readonly schema: object;
  readonly examples?: Record<string, { value: unknown }>;
}
interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly parameters?: { name: string; in: string; $ref?: string }[];
  readonly requestBody?: { content: Record<string, Content> };
  readonly responses: Record<
    string,
    { description: string; content?: Record<string, Content>; headers?: Record<string, { $ref?: string }> }
  >;
}
interface Description {
  readonly openapi: string;
  readonly info: { readonly version: string };
  readonly tags: readonly { name: string; description: string }[];
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { schemas: Record<string, object> };
}
interface Tree {
  readonly [name: string]: unknown;
}
interface EndSchema {
  readonly properties: { readonly end?: { readonly properties: { readonly reason: { readonly enum: string[] } } } };
}

describe('the description of the API', () => {
  let node: HttpNode;
  let description: Description;
  beforeAll(async () => {
    node = await startHttpNode();
    const response = await fetch(`${node.url}/openapi.json`);
    expect(response.headers.get('content-type')).toBe('application/json');
    description = (await response.json()) as Description;
  });
  afterAll(() => node.stop());

  const operations = () =>
    Object.entries(description.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ route: `${method.toUpperCase()} ${path}`, operation })),
    );

  it('shows every operation once, under a heading that is explained', () => {
    const headings = description.tags.map(({ name }) => name);
    expect(description.tags.every(({ description: text }) => text !== '')).toBe(true);
    for (const { route, operation } of operations()) expect([route, operation.tags.length]).toEqual([route, 1]);
    expect(new Set(operations().flatMap(({ operation }) => operation.tags))).toEqual(new Set(headings));
  });

  it('has the version of the package', async () => {
    const file = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
    expect(description.info.version).toBe((JSON.parse(file) as { version: string }).version);
  });

  it('is OpenAPI 3.1 and has every route', () => {
    expect(description.openapi).toBe('3.1.0');
    expect(
      operations()
        .map(({ route }) => route)
        .sort(),
    ).toEqual([
      'DELETE /things/{thing}/shadow',
      'DELETE /v1/leases/{lease}',
      'DELETE /v1/things/{thing}',
      'DELETE /v1/things/{thing}/shadow',
      'GET /api/things/shadow/ListNamedShadowsForThing/{thing}',
      'GET /health/live',
      'GET /health/ready',
      'GET /health/status',
      'GET /things/{thing}/shadow',
      'GET /v1/leases',
      'GET /v1/leases/{lease}',
      'GET /v1/things',
      'GET /v1/things/{thing}',
      'GET /v1/things/{thing}/shadow',
      'GET /v1/things/{thing}/shadow/watch',
      'GET /v1/things/{thing}/shadows',
      'GET /v1/things/{thing}/watch',
      'GET /v1/watch',
      'PATCH /v1/things/{thing}/shadow',
      'PATCH /v1/things/{thing}/shadow/desired',
      'PATCH /v1/things/{thing}/shadow/reported',
      'POST /things/{thing}/shadow',
      'POST /v1/bulk',
      'POST /v1/leases',
      'POST /v1/transactions',
      'PUT /v1/leases/{lease}',
    ]);
    const known = (node.app.getHttpAdapter().getInstance() as unknown as FastifyInstance).printRoutes({
      commonPrefix: false,
    });
    expect(known).toContain('openapi.json');
  });

  it('tells of each operation what it is, and has an example for every body and every error', () => {
    for (const { route, operation } of operations()) {
      expect([route, operation.operationId, operation.summary]).toEqual([
        route,
        expect.stringMatching(/./),
        expect.stringMatching(/./),
      ]);
      const contents = [operation.requestBody, ...Object.values(operation.responses)].flatMap((part) =>
        Object.values(part?.content ?? {}),
      );
      expect([route, contents.length > 0]).toEqual([route, true]);
      for (const { examples } of contents)
        expect([route, Object.keys(examples ?? {}).length > 0]).toEqual([route, true]);
    }
    const ids = operations().map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('has examples that are what their schemas say', () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    const { components } = description;
    for (const { route, operation } of operations()) {
      const contents = [operation.requestBody, ...Object.values(operation.responses)].flatMap((part) =>
        Object.values(part?.content ?? {}),
      );
      for (const { schema, examples = {} } of contents) {
        const check = ajv.compile({ ...schema, components } as AnySchema);
        for (const [name, { value }] of Object.entries(examples)) {
          expect([route, name, check(value) ? null : check.errors]).toEqual([route, name, null]);
        }
      }
    }
  });

  it('says which headers of a trace come and go, at all operations but streams', () => {
    const resolve = (each: { $ref?: string }) =>
      each.$ref === undefined
        ? each
        : each.$ref
            .slice(2)
            .split('/')
            .reduce((at, name) => at[name] as Tree, description as unknown as Tree);
    const traced = operations().flatMap(({ route, operation: { parameters = [], responses } }) => {
      const names = parameters.map((each) => (resolve(each) as { name: string }).name);
      const answers = Object.values(responses).map(({ headers = {} }) => headers['traceresponse']);
      const isTold = answers.every((each) => each !== undefined && resolve(each) !== undefined);
      return names.includes('traceparent') && names.includes('tracestate') && isTold ? [] : [route];
    });
    expect(traced).toEqual(['GET /v1/things/{thing}/shadow/watch', 'GET /v1/things/{thing}/watch', 'GET /v1/watch']);
  });

  it('has the reasons for which a bulk answer ends that docs/http.md has', async () => {
    const page = await readFile(new URL('../../docs/http.md', import.meta.url), 'utf8');
    const table = /\n\| `reason` .*?\n\n/s.exec(page)![0];
    const cells = [...table.matchAll(/^\| (`.*?) \|/gm)].map(([, cell]) => cell!).slice(1);
    const reasons = cells.flatMap((cell) => [...cell.matchAll(/`(.+?)`/g)].map(([, reason]) => reason!));
    const { anyOf } = description.components.schemas['BulkResult'] as { anyOf: EndSchema[] };
    const [end] = anyOf.flatMap(({ properties }) => properties.end ?? []);
    expect([...end!.properties.reason.enum].sort()).toEqual(['complete', ...reasons].sort());
  });

  it('is right about what the service answers', async () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    const { components } = description;
    const check = async (route: string, status: number, response: Response): Promise<void> => {
      const operation = operations().find((each) => each.route === route)?.operation;
      const type = response.headers.get('content-type') ?? '';
      const content = operation?.responses[String(status)]?.content?.[type];
      expect([route, response.status, type, content !== undefined]).toEqual([route, status, type, true]);
      const valid = ajv.compile({ ...content?.schema, components } as AnySchema);
      expect([route, valid(await response.json()), valid.errors]).toEqual([route, true, null]);
    };
    const aws = `${node.url}/things/t/shadow`;
    const ours = `${node.url}/v1/things/t/shadow`;
    const body = '{"state":{"desired":{"a":1}}}';
    await check('POST /things/{thing}/shadow', 200, await fetch(aws, { method: 'POST', body }));
    await check('POST /things/{thing}/shadow', 400, await fetch(aws, { method: 'POST', body: '{' }));
    await check('GET /things/{thing}/shadow', 200, await fetch(aws));
    await check('PATCH /v1/things/{thing}/shadow', 200, await fetch(ours, { method: 'PATCH', body }));
    await check(
      'PATCH /v1/things/{thing}/shadow',
      412,
      await fetch(ours, { method: 'PATCH', body, headers: { 'if-match': '"9"' } }),
    );
    await check('GET /v1/things/{thing}/shadow', 200, await fetch(ours));
    await check('GET /v1/things/{thing}/shadows', 200, await fetch(`${ours}s`));
    await check('GET /v1/things', 200, await fetch(`${node.url}/v1/things`));
    await check('GET /v1/things/{thing}', 200, await fetch(`${node.url}/v1/things/t`));
    await check('DELETE /v1/things/{thing}', 404, await fetch(`${node.url}/v1/things/none`, { method: 'DELETE' }));
    await check('GET /v1/things', 400, await fetch(`${node.url}/v1/things?limit=0`));
    await check('GET /health/ready', 200, await fetch(`${node.url}/health/ready`));
    await check('DELETE /v1/things/{thing}/shadow', 200, await fetch(ours, { method: 'DELETE' }));
    await check('GET /v1/things/{thing}/shadow', 404, await fetch(ours));
    await fetch(aws, { method: 'POST', body });
    await check('DELETE /v1/things/{thing}', 200, await fetch(`${node.url}/v1/things/t`, { method: 'DELETE' }));
  });

  it('has first examples that work when they are tried out as they are', async () => {
    for (const { route, operation } of operations()) {
      const [content] = Object.values(operation.requestBody?.content ?? {});
      const [method = '', path = ''] = route.split(' ');
      if (!content || method === 'DELETE') continue;
      const [first] = Object.values(content.examples ?? {});
      const thing = operation.operationId;
      const sent = { method, body: JSON.stringify(first?.value) };
      const made = 201 in operation.responses ? 201 : 200;
      expect([route, (await fetch(node.url + path.replace('{thing}', thing), sent)).status]).toEqual([route, made]);
    }
    const things = operations().flatMap(({ operation }) => operation.parameters ?? []);
    expect(things.find(({ name }) => name === 'thing')).toMatchObject({ schema: { example: 'lamp-1' } });
  });

  // "Try it out" and "Execute" on an untouched form send the first example; Swagger UI prefers one that is `null`.
  it('has first examples that take nothing away, by place and by name, and none that is null', async () => {
    const members = { keep: 1, led: 'off', blink: true };
    const kept = ['desired.keep', 'desired.led', 'desired.blink', 'reported.keep', 'reported.led', 'reported.blink'];
    for (const { route, operation } of operations()) {
      const [content] = Object.values(operation.requestBody?.content ?? {});
      const [method = '', path = ''] = route.split(' ');
      if (!content || method === 'DELETE') continue;
      const examples = Object.entries(content.examples ?? {});
      expect([route, examples.filter(([, { value }]) => value === null)]).toEqual([route, []]);
      const byName = [...examples].sort(([a], [b]) => (a < b ? -1 : 1));
      for (const [name, { value }] of [examples[0]!, byName[0]!]) {
        const thing = `harmless-${operation.operationId}`;
        const seed = JSON.stringify({ state: { desired: members, reported: members } });
        await fetch(`${node.url}/things/${thing}/shadow`, { method: 'POST', body: seed });
        await fetch(node.url + path.replace('{thing}', thing), { method, body: JSON.stringify(value) });
        const { state } = (await (await fetch(`${node.url}/things/${thing}/shadow`)).json()) as {
          state: Record<string, object>;
        };
        const left = Object.entries(state).flatMap(([section, found]) =>
          Object.keys(found).map((member) => `${section}.${member}`),
        );
        expect([route, name, left]).toEqual([route, name, expect.arrayContaining(kept)]);
      }
    }
  });

  it('prefills the form of no DELETE, so that nothing is deleted that nobody named', () => {
    const deletes = operations().filter(({ route }) => route.startsWith('DELETE '));
    expect(deletes.length).toBeGreaterThanOrEqual(2);
    for (const { route, operation } of deletes) {
      const [, noun = ''] = /\{(\w+)\}/.exec(route) ?? [];
      const named = operation.parameters?.find(({ name }) => name === noun);
      expect([route, named]).toEqual([route, expect.objectContaining({ name: noun, in: 'path', required: true })]);
      expect([route, JSON.stringify(named)]).toEqual([route, expect.not.stringContaining('example')]);
    }
  });

  it('can be read on a page that loads everything from here, and may load nothing from elsewhere', async () => {
    const page = await fetch(`${node.url}/docs`);
    const html = await page.text();
    expect(page.headers.get('content-type')).toMatch(/^text\/html/);
    expect(page.headers.get('content-security-policy')).toMatch(/^default-src 'none'; .*connect-src 'self'/);
    expect(html).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
    const links = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link]) => link ?? '');
    expect(links).toHaveLength(5);
    for (const link of links) {
      const response = await fetch(node.url + link);
      expect([link, response.status, (await response.arrayBuffer()).byteLength > 100]).toEqual([link, 200, true]);
    }
    const script = await (await fetch(`${node.url}/docs/start.js`)).text();
    expect(script).toContain('validatorUrl: null');
    expect((await fetch(`${node.url}/docs/..%2f..%2fpackage.json`)).status).toBe(404);
  });
});
