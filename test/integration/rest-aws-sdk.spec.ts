import {
  ConflictException,
  DeleteThingShadowCommand,
  GetThingShadowCommand,
  InvalidRequestException,
  IoTDataPlaneClient,
  ListNamedShadowsForThingCommand,
  PublishCommand,
  RequestEntityTooLargeException,
  ResourceNotFoundException,
  UnsupportedDocumentEncodingException,
  UpdateThingShadowCommand,
} from '@aws-sdk/client-iot-data-plane';
import { startHttpNode, type HttpNode } from '../harness/http-node.js';

describe('@aws-sdk/client-iot-data-plane', () => {
  let node: HttpNode;
  let client: IoTDataPlaneClient;
  beforeAll(async () => {
    node = await startHttpNode();
    client = new IoTDataPlaneClient({
      endpoint: node.url,
      region: 'eu-west-1',
      maxAttempts: 1,
      credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'example' },
    });
  });
  afterAll(async () => {
    client.destroy();
    await node.stop();
  });

  const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
  const read = (payload: Uint8Array | undefined): unknown => JSON.parse(new TextDecoder().decode(payload));
  const names = { thingName: 'a:b_c-1', shadowName: '$door:1' };

  it('updates, gets, lists and deletes, with names that must be encoded', async () => {
    const updated = await client.send(
      new UpdateThingShadowCommand({ ...names, payload: bytes({ state: { desired: { a: 1 } } }) }),
    );
    expect(read(updated.payload)).toMatchObject({ state: { desired: { a: 1 } }, version: 1 });
    expect(updated.$metadata.requestId).toMatch(/^[0-9a-f-]{36}$/);
    const got = await client.send(new GetThingShadowCommand(names));
    expect(read(got.payload)).toMatchObject({ state: { desired: { a: 1 }, delta: { a: 1 } }, version: 1 });
    const listed = await client.send(new ListNamedShadowsForThingCommand({ thingName: names.thingName, pageSize: 1 }));
    expect(listed).toMatchObject({ results: ['$door:1'], timestamp: Math.floor(node.clock.now() / 1000) });
    expect(listed.nextToken).toBeUndefined();
    const deleted = await client.send(new DeleteThingShadowCommand(names));
    expect(read(deleted.payload)).toEqual({ version: 1, timestamp: expect.any(Number) });
  });

  it('gets the modelled errors', async () => {
    const update = (payload: Uint8Array) => client.send(new UpdateThingShadowCommand({ thingName: 'errors', payload }));
    const large = (size: number) => bytes({ state: { desired: { blob: 'x'.repeat(size) } } });
    await expect(client.send(new GetThingShadowCommand({ thingName: 'errors' }))).rejects.toThrow(
      ResourceNotFoundException,
    );
    await expect(client.send(new GetThingShadowCommand({ thingName: 'errors' }))).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
      message: "No shadow exists with name: 'errors'",
      $metadata: { httpStatusCode: 404 },
    });
    await expect(update(bytes({ state: {}, version: 9 }))).rejects.toThrow(ConflictException);
    await expect(update(bytes({ foo: 1 }))).rejects.toThrow(InvalidRequestException);
    await expect(update(large(40_000))).rejects.toThrow(RequestEntityTooLargeException);
    await expect(update(large(200_000))).rejects.toThrow(RequestEntityTooLargeException);
    await expect(update(Buffer.from('\ufeff{"state":{}}', 'utf16le'))).rejects.toThrow(
      UnsupportedDocumentEncodingException,
    );
    await expect(client.send(new GetThingShadowCommand({ thingName: 'errors', shadowName: 'a b' }))).rejects.toThrow(
      InvalidRequestException,
    );
    const list = new ListNamedShadowsForThingCommand({ thingName: 'errors', nextToken: 'nonsense' });
    await expect(client.send(list)).rejects.toThrow(InvalidRequestException);
  });

  it('is told clearly that publishing is not done over HTTP', async () => {
    const publish = new PublishCommand({ topic: 'a/b', payload: bytes({}) });
    await expect(client.send(publish)).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
      message: 'No such path: /topics/a%2Fb',
    });
  });
});
