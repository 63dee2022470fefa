import { startSecureNode, type SecureNode } from '../harness/secure-node.js';

let node: SecureNode;

beforeAll(async () => {
  node = await startSecureNode();
});
afterAll(() => node.stop());

it('deletes no tenant that has a shadow, which a later one of its name would get', async () => {
  const path = '/v1/tenants/leaving';
  expect((await node.ask('PUT', path, node.admin, {})).status).toBe(201);
  const key = await node.make('last', { kind: 'service', roles: ['service'] }, 'leaving');
  const lamp = '/v1/things/lamp/shadow?name=night';
  expect((await node.ask('PATCH', lamp, key, { state: { desired: { on: true } } })).status).toBe(200);
  const inUse = await node.ask('DELETE', path, node.admin);
  expect([inUse.status, inUse.body.detail]).toEqual([400, expect.stringContaining('has shadows, of the thing lamp')]);
  expect((await node.ask('DELETE', lamp, key)).status).toBe(200);
  const inhabited = await node.ask('DELETE', path, node.admin);
  expect([inhabited.status, inhabited.body.detail]).toEqual([400, expect.stringContaining('has a principal')]);
  expect((await node.ask('DELETE', `${path}/principals/last`, node.admin)).status).toBe(204);
  expect((await node.ask('DELETE', path, node.admin)).status).toBe(204);
  expect((await node.ask('GET', path, node.admin)).status).toBe(404);
});
