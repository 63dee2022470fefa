import { Ajv2020, type AnySchema } from 'ajv/dist/2020.js';
import { shadowTopic, TAILS } from '../../src/mqtt/topics.js';
import { startHttpNode, type HttpNode } from '../harness/http-node.js';
import { MessageReader } from '../harness/message-reader.js';

interface Channel {
  readonly address: string;
  readonly parameters?: Record<string, object>;
  readonly messages: Record<string, { $ref: string }>;
  readonly bindings?: { readonly ws: { readonly query: { readonly properties: Record<string, object> } } };
}
interface Operation {
  readonly action: string;
  readonly channel: { $ref: string };
  readonly messages: { $ref: string }[];
}
interface Description {
  readonly asyncapi: string;
  readonly channels: Record<string, Channel>;
  readonly operations: Record<string, Operation>;
  readonly components: {
    readonly schemas: Record<string, object>;
    readonly messages: Record<string, { payload: object; examples?: { payload: unknown }[] }>;
  };
}
interface OpenApi {
  readonly paths: Record<string, { get?: { parameters?: { name: string; in: string }[] } }>;
  readonly components: { schemas: Record<string, object> };
}

describe('the description of topics and streams', () => {
  let node: HttpNode;
  let description: Description;
  let openApi: OpenApi;
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  beforeAll(async () => {
    node = await startHttpNode();
    const response = await fetch(`${node.url}/asyncapi.json`);
    expect(response.headers.get('content-type')).toBe('application/json');
    description = (await response.json()) as Description;
    openApi = (await (await fetch(`${node.url}/openapi.json`)).json()) as OpenApi;
  });
  afterAll(() => node.stop());

  const faultsOf = (payload: object, value: unknown): unknown => {
    const check = ajv.compile({ ...payload, components: description.components } as AnySchema);
    return check(value) ? null : check.errors;
  };

  it('is AsyncAPI 3.0, and every reference in it leads somewhere', () => {
    expect(description.asyncapi).toBe('3.0.0');
    const references = [...JSON.stringify(description).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path = '']) => path);
    expect(references.length).toBeGreaterThan(50);
    for (const path of references) {
      let at: unknown = description;
      for (const step of path.split('/')) at = (at as Record<string, unknown> | undefined)?.[step];
      expect([path, typeof at]).toEqual([path, 'object']);
    }
  });

  it('has every topic of shadows: clients send the requests, and the node all else', () => {
    const expected = TAILS.flatMap((tail) =>
      [null, '{shadow}'].map((name) => [
        `${shadowTopic({ thing: '{thing}', name })}/${tail}`,
        tail.includes('/') ? 'send' : 'receive',
      ]),
    );
    const found = Object.values(description.operations).map(({ action, channel: { $ref } }) => [
      description.channels[$ref.split('/').at(-1)!]!.address,
      action,
    ]);
    expect(found.filter(([address]) => address!.startsWith('$aws/things/')).sort()).toEqual(expected.sort());
  });

  it('has every stream, with the parameters that the description of the API has', () => {
    const streams = Object.entries(openApi.paths).filter(([path]) => path.endsWith('/watch'));
    expect(streams).toHaveLength(3);
    for (const [path, { get }] of streams) {
      const channels = Object.values(description.channels).filter(({ address }) => address === path);
      const query = get?.parameters?.flatMap(({ name, in: place }) => (place === 'query' ? [name] : []));
      expect(channels.map(({ messages }) => Object.keys(messages))).toEqual([
        ['Change', 'Initial', 'Bookmark', 'End', 'Credit'],
        ['ChangeEvent', 'InitialEvent', 'BookmarkEvent', 'EndEvent'],
      ]);
      expect(Object.keys(channels[0]?.bindings?.ws.query.properties ?? {}).sort()).toEqual(query?.sort());
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      expect(Object.keys(channels[0]?.parameters ?? {})).toEqual(named);
    }
  });

  it('says of a schema what the description of the API says of it', () => {
    const shared = Object.keys(description.components.schemas).filter((name) => name in openApi.components.schemas);
    expect(shared).toEqual(expect.arrayContaining(['AwsShadow', 'Update', 'UpdateAccepted', 'WatchEvent']));
    for (const name of shared)
      expect([name, description.components.schemas[name]]).toEqual([name, openApi.components.schemas[name]]);
  });

  it('has examples that are what their schemas say', () => {
    const examples = Object.values(description.components.messages).flatMap(({ payload, examples: given = [] }) =>
      given.map((each) => faultsOf(payload, each.payload)),
    );
    expect(examples.length).toBeGreaterThanOrEqual(3);
    expect(examples.filter((each) => each !== null)).toEqual([]);
  });

  it('is right about the messages of a stream', async () => {
    const update = (body: object) =>
      fetch(`${node.url}/things/lamp/shadow`, { method: 'POST', body: JSON.stringify(body) });
    await update({ state: { desired: { led: 'on' } }, clientToken: 'k' });
    const reader = await MessageReader.open(`${node.url}/v1/watch?initial=true&previous=true&credit=9`);
    const seen = [await reader.next(), await reader.next()];
    await update({ state: { desired: { led: null } } });
    await fetch(`${node.url}/things/lamp/shadow`, { method: 'DELETE' });
    seen.push(await reader.next(), await reader.next());
    reader.socket.send('nothing');
    seen.push(await reader.next());
    expect(seen.map((message) => message?.type)).toEqual(['initial', 'bookmark', 'change', 'change', 'end']);
    for (const message of seen) {
      const name = `${message!.type[0]!.toUpperCase()}${message!.type.slice(1)}`;
      expect([name, faultsOf(description.components.messages[name]!.payload, message)]).toEqual([name, null]);
    }
    // What else it says would be let through too, if the schemas said nothing.
    expect(faultsOf(description.components.messages['Bookmark']!.payload, seen[2])).not.toBeNull();
  });
});
