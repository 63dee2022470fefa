import {
  DeleteThingShadowCommand,
  GetThingShadowCommand,
  IoTDataPlaneClient,
  ListNamedShadowsForThingCommand,
  UpdateThingShadowCommand,
} from '@aws-sdk/client-iot-data-plane';
import { startNode, type ReadyNode } from '../harness/node-process.js';
import { cleanupAfterAll } from './steps/cleanup.js';

const cleanup = cleanupAfterAll();
let node: ReadyNode;
let client: IoTDataPlaneClient;

beforeAll(async () => {
  node = await startNode();
  cleanup(() => node.stop());
  client = new IoTDataPlaneClient({
    endpoint: node.httpUrl,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'not-a-secret' },
    maxAttempts: 1,
  });
  cleanup(() => client.destroy());
});

const bytes = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
function json(payload: Uint8Array | undefined): unknown {
  return JSON.parse(Buffer.from(payload ?? []).toString());
}
const which = (thingName: string, shadowName?: string) =>
  shadowName === undefined ? { thingName } : { thingName, shadowName };
async function update(thing: string, body: unknown, shadow?: string): Promise<unknown> {
  const payload = body instanceof Uint8Array ? body : bytes(body);
  return json((await client.send(new UpdateThingShadowCommand({ ...which(thing, shadow), payload }))).payload);
}
const get = async (thing: string, shadow?: string): Promise<unknown> =>
  json((await client.send(new GetThingShadowCommand(which(thing, shadow)))).payload);
const remove = async (thing: string, shadow?: string): Promise<unknown> =>
  json((await client.send(new DeleteThingShadowCommand(which(thing, shadow)))).payload);

describe('@aws-sdk/client-iot-data-plane', () => {
  it.each([
    ['classic', 'sdk:thing_1', undefined],
    ['named', 'sdk:thing_1', '$door:1'],
  ])('updates, gets and deletes a %s shadow', async (_kind, thing, shadow) => {
    expect(await update(thing, { state: { desired: { led: 'on' } }, clientToken: 'c-1' }, shadow)).toEqual({
      state: { desired: { led: 'on' } },
      metadata: { desired: { led: { timestamp: expect.any(Number) } } },
      version: 1,
      timestamp: expect.any(Number),
      clientToken: 'c-1',
    });
    expect(await update(thing, { state: { reported: { led: 'off' } }, version: 1 }, shadow)).toMatchObject({
      version: 2,
    });
    expect(await get(thing, shadow)).toMatchObject({
      state: { desired: { led: 'on' }, reported: { led: 'off' }, delta: { led: 'on' } },
      version: 2,
    });
    expect(await remove(thing, shadow)).toEqual({ version: 2, timestamp: expect.any(Number) });
    await expect(get(thing, shadow)).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });

  it('lists named shadows in pages', async () => {
    const names = Array.from({ length: 23 }, (_, index) => `shadow-${String(index).padStart(2, '0')}`);
    await Promise.all(names.map((name) => update('listed', { state: {} }, name)));
    await update('listed', { state: {} });
    await update('listed', { state: {} }, 'deleted');
    await remove('listed', 'deleted');
    const found: string[] = [];
    let pages = 0;
    let nextToken: string | undefined;
    do {
      const page: { results?: string[] | undefined; nextToken?: string | undefined; timestamp?: number | undefined } =
        await client.send(new ListNamedShadowsForThingCommand({ thingName: 'listed', pageSize: 10, nextToken }));
      expect(page.results?.length).toBeLessThanOrEqual(10);
      expect(Number.isInteger(page.timestamp)).toBe(true);
      found.push(...(page.results ?? []));
      nextToken = page.nextToken;
      pages++;
    } while (nextToken !== undefined);
    expect(found).toEqual(names);
    expect(pages).toBeGreaterThanOrEqual(3);
  });

  it('lists nothing for a thing that nobody knows', async () => {
    const page = await client.send(new ListNamedShadowsForThingCommand({ thingName: 'nobody' }));
    expect(page.results).toEqual([]);
    expect(page.nextToken).toBeUndefined();
  });

  const utf16 = Buffer.from('\ufeff{"state":{"desired":{"a":1}}}', 'utf16le');
  const blob = (size: number) => ({ state: { desired: { blob: 'x'.repeat(size) } } });
  it.each<[string, unknown, string, number]>([
    ['40 KB', blob(40_960), 'RequestEntityTooLargeException', 413],
    ['200 KB', blob(204_800), 'RequestEntityTooLargeException', 413],
    ['UTF-16', utf16, 'UnsupportedDocumentEncodingException', 415],
    ['no JSON', Buffer.from('{"state":'), 'InvalidRequestException', 400],
    ['no state', {}, 'InvalidRequestException', 400],
    ['an old version', { state: { desired: { a: 1 } }, version: 7 }, 'ConflictException', 409],
  ])('refuses %s with %s, and keeps nothing', async (what, body, name, status) => {
    const thing = `refused-${what.replaceAll(' ', '-')}`;
    await expect(update(thing, body)).rejects.toMatchObject({
      name,
      message: expect.stringMatching(/\w/),
      $metadata: { httpStatusCode: status, requestId: expect.stringMatching(/^[0-9a-f-]{36}$/) },
    });
    await expect(get(thing)).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });

  it.each<[string, () => Promise<unknown>, string]>([
    ['get', () => get('nothing-here'), 'ResourceNotFoundException'],
    ['delete', () => remove('nothing-here'), 'ResourceNotFoundException'],
    ['delete of a named one', () => remove('nothing-here', 'door'), 'ResourceNotFoundException'],
    ['a thing name with a space', () => get('a b'), 'InvalidRequestException'],
    ['a shadow name of 65 characters', () => get('t', 's'.repeat(65)), 'InvalidRequestException'],
    [
      'a page size of 101',
      () => client.send(new ListNamedShadowsForThingCommand({ thingName: 't', pageSize: 101 })),
      'InvalidRequestException',
    ],
    [
      'a paging token of nobody',
      () => client.send(new ListNamedShadowsForThingCommand({ thingName: 't', nextToken: 'made-up!' })),
      'InvalidRequestException',
    ],
  ])('answers %s with its error', async (_what, call, name) => {
    await expect(call()).rejects.toMatchObject({ name });
  });
});
