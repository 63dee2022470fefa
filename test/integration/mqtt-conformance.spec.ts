import { EXPLANATIONS } from '../conformance/explained.js';
import { runConformance, showDifference } from '../conformance/suite.js';
import { startMosquitto, type MosquittoBroker } from '../harness/mosquitto.js';
import { startMqttNode, type MqttNode } from '../harness/mqtt-node.js';

/** The long form is `npm run conformance`; `--only N --seed S` plays one of them, and shrinks it. */
const CONVERSATIONS = 200;
const SEED = Date.now() % 1_000_000;

let node: MqttNode;
let broker: MosquittoBroker;
beforeAll(async () => {
  node = await startMqttNode();
  broker = await startMosquitto();
});
afterAll(async () => {
  await node.stop();
  await broker.stop();
});

it(`says in ${CONVERSATIONS} conversations what mosquitto says, or why not`, async () => {
  const indexes = Array.from({ length: CONVERSATIONS }, (_, i) => i);
  const ports = { ours: node.port, theirs: Number(new URL(broker.url).port) };
  const { unexplained, steps } = await runConformance({ seed: SEED, indexes, ports, run: 'jest' });
  expect([`seed ${SEED}`, ...unexplained.map(showDifference)]).toEqual([`seed ${SEED}`]);
  expect(steps).toBeGreaterThan(CONVERSATIONS);
});

it('has a clause for every row of the table', () => {
  for (const { name, clause } of EXPLANATIONS)
    expect([name, /MQTT|docs\/topics\.md|above/.test(clause)]).toEqual([name, true]);
});
