import { readCorpus } from '../fuzz/corpus.js';
import { playChunks } from '../fuzz/mqtt.js';
import { logLines, startNode, type ReadyNode } from '../harness/node-process.js';
import { TestClient } from '../harness/mqtt-node.js';

/** Milliseconds; the node may have to be built. */
const START_MS = 600_000;

let node: ReadyNode;
beforeAll(async () => {
  node = await startNode();
}, START_MS);
afterAll(() => node.stop());

it.each(readCorpus())('survives $name: $why', async ({ transport, chunks }) => {
  await playChunks({ transport, chunks: chunks.map((chunk) => Buffer.from(chunk, 'hex')) }, node);
  const client = await TestClient.connect(node.mqttUrl, { clientId: 'bystander' });
  await client.publish('$aws/things/bystander/shadow/update', { state: { reported: { is: 'well' } } });
  client.mqtt.end(true);
  expect(node.running).toBe(true);
  expect(logLines(node.logs()).filter(({ level }) => Number(level) >= 50)).toEqual([]);
});
