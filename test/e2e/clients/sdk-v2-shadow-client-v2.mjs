import { once } from 'node:events';
import { iotshadow } from 'aws-iot-device-sdk-v2';
import { connect311, connect5 } from './sdk-v2-connection.mjs';

/** IotShadowClientv2, requests with answers and streams: prints every answer, and what its streams gave. */
const options = JSON.parse(process.argv[2]);
const RR = { maxRequestResponseSubscriptions: 6, maxStreamingSubscriptions: 4, operationTimeoutInSeconds: 15 };
const answers = {};
const streams = { delta: [], documents: [], namedDelta: [] };

async function ask(step, promise) {
  try {
    answers[step] = { ok: await promise };
  } catch (error) {
    answers[step] = { error: error.modeledError ?? String(error) };
  }
}

async function open(stream, into) {
  stream.on('incomingPublish', ({ message }) => into.push(message));
  stream.on('incomingPublishError', ({ error }) => into.push({ error: String(error) }));
  const established = once(stream, 'subscriptionStatus');
  stream.open();
  const [status] = await established;
  if (status.type !== 0) throw new Error(`stream not established: ${JSON.stringify(status)}`);
  return stream;
}

async function until(condition, what) {
  for (const deadline = Date.now() + 15_000; !condition();) {
    if (Date.now() > deadline) throw new Error(`${what}: ${JSON.stringify({ answers, streams })}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function classic(client, thingName) {
  await ask('get of nothing', client.getShadow({ thingName }));
  await ask('create', client.updateShadow({ thingName, state: { desired: { led: 'on' }, reported: { led: 'off' } } }));
  await ask('settle', client.updateShadow({ thingName, version: 1, state: { reported: { led: 'on' } } }));
  await ask('conflict', client.updateShadow({ thingName, version: 1, state: { reported: { led: 'off' } } }));
  await ask('get', client.getShadow({ thingName }));
  await ask('delete', client.deleteShadow({ thingName }));
  await ask('delete of nothing', client.deleteShadow({ thingName }));
}

async function named(client, thingName, shadowName) {
  await ask('named create', client.updateNamedShadow({ thingName, shadowName, state: { desired: { door: 'open' } } }));
  await ask('named get', client.getNamedShadow({ thingName, shadowName }));
  await ask('named delete', client.deleteNamedShadow({ thingName, shadowName }));
}

const link = options.version === 5 ? await connect5(options) : await connect311(options);
const client = link.client
  ? iotshadow.IotShadowClientv2.newFromMqtt5(link.client, RR)
  : iotshadow.IotShadowClientv2.newFromMqtt311(link.connection, RR);
const thingName = options.thing;
const opened = [
  await open(client.createShadowDeltaUpdatedStream({ thingName }), streams.delta),
  await open(client.createShadowUpdatedStream({ thingName }), streams.documents),
  await open(client.createNamedShadowDeltaUpdatedStream({ thingName, shadowName: 'door' }), streams.namedDelta),
];
await classic(client, thingName);
await named(client, thingName, 'door');
await until(() => streams.documents.length >= 2 && streams.namedDelta.length >= 1, 'streams');
for (const stream of opened) stream.close();
client.close();
await link.close();
process.stdout.write(`${JSON.stringify({ answers, streams })}\n`, () => process.exit(0));
