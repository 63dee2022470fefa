import { startMqttNode, type MqttNode, type TestClient } from '../harness/mqtt-node.js';
import { until } from '../harness/until.js';
import { loadVectors, runVector, type Outcome, type VectorDriver, type VectorOp } from '../harness/vectors.js';

describe('the vectors over MQTT', () => {
  let node: MqttNode;
  let client: TestClient;
  let driver: VectorDriver;

  beforeAll(async () => {
    node = await startMqttNode();
    client = await node.connect();
    await client.subscribe(['$aws/things/+/shadow/#']);
    driver = {
      setNow: (seconds) => node.clock.set(seconds * 1000),
      request,
    };
  });
  afterAll(() => node.stop());

  async function request(op: VectorOp, thing: string, shadow: string | null, payload: Buffer): Promise<Outcome> {
    const base = `$aws/things/${thing}/shadow${shadow === null ? '' : `/name/${shadow}`}`;
    const from = client.received.length;
    await client.mqtt.publishAsync(`${base}/${op}`, payload, { qos: 1 });
    const news = () => client.received.slice(from);
    const find = (tail: string) => news().find(({ topic }) => topic === `${base}/${tail}`);
    // The answer is the last message of an operation.
    await until('an answer', () => find(`${op}/accepted`) !== undefined || find(`${op}/rejected`) !== undefined);
    const accepted = find(`${op}/accepted`);
    const rejected = find(`${op}/rejected`);
    return {
      ...(accepted && { accepted: accepted.json as unknown }),
      ...(rejected && { rejected: rejected.json as unknown }),
      delta: find('update/delta')?.json ?? null,
      documents: find('update/documents')?.json ?? null,
    };
  }

  const vectors = loadVectors();
  it('are all there', () => expect(vectors).toHaveLength(66));
  it.each(vectors.map((vector) => [vector.name, vector] as const))('%s', async (_name, vector) => {
    expect(await runVector(vector, driver)).toEqual([]);
  });
});
