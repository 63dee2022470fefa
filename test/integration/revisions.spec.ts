import { startHttpNode, type HttpNode } from '../harness/http-node.js';

/** The store of the node numbers its commits from 2 on, so each of these tests knows the revisions of its changes. */
describe('revisions over HTTP', () => {
  let node: HttpNode;
  beforeAll(async () => (node = await startHttpNode()));
  afterAll(() => node.stop());

  const send = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const response = await fetch(`${node.url}${path}`, {
      ...{ method, headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { response, revision: response.headers.get('umbra-revision') };
  };
  const present = (): number => node.store.position.revision;

  it('stand in every answer that shows or changes a shadow', async () => {
    const update = { state: { desired: { led: 'on' } } };
    for (const [method, path, body] of [
      ['PATCH', '/v1/things/seen/shadow', update],
      ['PATCH', '/v1/things/seen/shadow/reported?name=door', { open: true }],
      ['POST', '/things/seen/shadow', update],
      ['DELETE', '/v1/things/seen/shadow?name=door', undefined],
      ['PATCH', '/v1/things/gone/shadow', update],
      ['DELETE', '/v1/things/gone', undefined],
    ] as const) {
      const before = present();
      const { response, revision } = await send(method, path, body);
      expect([path, response.status, revision]).toEqual([path, 200, String(before + 1)]);
    }
    // A change of another shadow: a read is as new as that one too.
    await send('PATCH', '/v1/things/other/shadow', update);
    for (const path of [
      '/v1/things/seen/shadow',
      '/things/seen/shadow',
      '/v1/things/seen/shadows',
      '/api/things/shadow/ListNamedShadowsForThing/seen',
      '/v1/things',
      '/v1/things/seen',
    ]) {
      const { response, revision } = await send('GET', path);
      expect([path, response.status, revision]).toEqual([path, 200, String(present())]);
      expect((await send('HEAD', path)).revision).toBe(String(present()));
    }
    const { response, revision } = await send('GET', '/v1/things/seen/shadow', undefined, { 'if-none-match': '*' });
    expect([response.status, revision]).toEqual([304, String(present())]);
  });
});
