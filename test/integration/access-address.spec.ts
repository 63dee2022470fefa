import { startSecureNode, type SecureNode } from '../harness/secure-node.js';
import { until } from '../harness/until.js';

let node: SecureNode;
const shadow = (thing: string, tail: string): string => `$aws/things/${thing}/shadow/${tail}`;
const arn = (resource: string): string => `arn:aws:iot:*:*:${resource}`;
const HERE = { IpAddress: { 'aws:SourceIp': '127.0.0.0/8' } };
const ELSEWHERE = { NotIpAddress: { 'aws:SourceIp': '127.0.0.0/8' } };
const update = (thing: string) =>
  node.ask('POST', `/things/${thing}/shadow`, node.admin, { state: { reported: { a: 1 } } });

async function make(id: string, ...statements: object[]): Promise<string> {
  const { status } = await node.ask('PUT', `/v1/policies/${id}`, node.admin, {
    Version: '2012-10-17',
    Statement: statements,
  });
  expect(status).toBe(201);
  return node.make(id, { kind: 'service', policies: [id] });
}

beforeAll(async () => {
  node = await startSecureNode();
});
afterAll(() => node.stop());

describe('policies that ask for the address of a client', () => {
  it.each([
    ['refuse', 'Deny', HERE, 404],
    ['carry out', 'Deny', ELSEWHERE, 200],
  ] as const)('%s its will by that, too', async (what, Effect, Condition, status) => {
    const id = `will-${what.replace(' ', '-')}`;
    const all = { Effect: 'Allow', Action: 'iot:*', Resource: '*' };
    const key = await make(id, all, { Effect, Action: 'iot:Publish', Resource: '*', Condition });
    const [witness, fine] = [`${id}-witness`, await make(`${id}-other`, all)];
    for (const [clientId, password, thing] of [
      [id, key, id],
      [witness, fine, witness],
    ] as const) {
      const will = { topic: shadow(thing, 'update'), payload: Buffer.from('{"state":{"reported":{"w":1}}}') };
      const client = await node.connect(clientId, password, { will: { ...will, qos: 1, retain: false } });
      client.stream.destroy();
    }
    const read = async (thing: string) => (await node.ask('GET', `/things/${thing}/shadow`, node.admin)).status;
    await until('the will of the other one', async () => (await read(witness)) === 200);
    expect(await read(id)).toBe(status);
  });

  it('hold for each event of a stream', async () => {
    const key = await make(
      'watcher',
      { Effect: 'Allow', Action: 'umbra:Watch', Resource: '*' },
      { Effect: 'Deny', Action: 'umbra:Watch', Resource: arn('thing/hidden'), Condition: HERE },
    );
    const stream = await fetch(`${node.url}/v1/watch`, { headers: { authorization: `Bearer ${key}` } });
    const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    const read = async (): Promise<void> => void (text += (await reader.read()).value ?? '');
    await read();
    await update('hidden');
    await update('shown');
    while (!text.includes('"shown"')) await read();
    expect(text).not.toContain('hidden');
    await reader.cancel();
  });

  it('leave it its session while it is away, as at the address that it had', async () => {
    const key = await make('away', { Effect: 'Allow', Action: 'iot:*', Resource: '*', Condition: HERE });
    const options = { clean: false, properties: { sessionExpiryInterval: 100 } };
    const first = await node.connect('away', key, options);
    await first.subscribeAsync(shadow('far', 'update/accepted'), { qos: 1 });
    await first.endAsync();
    // A change of access has all sessions judged again.
    await node.make('somebody', { kind: 'service' });
    await update('far');
    const { client: back, heard } = node.resume('away', key, options);
    await until('what was kept', () => heard.length === 1);
    await back.endAsync();
  });
});
