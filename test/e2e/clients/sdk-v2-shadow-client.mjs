import { iotshadow, mqtt } from 'aws-iot-device-sdk-v2';
import { connect311, connect5 } from './sdk-v2-connection.mjs';

/** IotShadowClient, the plain publish-subscribe one: prints every message that it was given, in order. */
const options = JSON.parse(process.argv[2]);
const QOS = mqtt.QoS.AtLeastOnce;
const events = [];
let wake = () => undefined;

const note = (kind) => (error, response) => {
  events.push({ kind, error: error?.message ?? null, response: response ?? null });
  wake();
};

async function waitFor(kind, count = 1) {
  const deadline = setTimeout(() => {
    throw new Error(`no ${kind}; had ${JSON.stringify(events)}`);
  }, 15_000);
  while (events.filter((event) => event.kind === kind).length < count) await new Promise((resolve) => (wake = resolve));
  clearTimeout(deadline);
}

async function subscribeClassic(client, thingName) {
  const thing = { thingName };
  await client.subscribeToGetShadowAccepted(thing, QOS, note('get/accepted'));
  await client.subscribeToGetShadowRejected(thing, QOS, note('get/rejected'));
  await client.subscribeToUpdateShadowAccepted(thing, QOS, note('update/accepted'));
  await client.subscribeToUpdateShadowRejected(thing, QOS, note('update/rejected'));
  await client.subscribeToDeleteShadowAccepted(thing, QOS, note('delete/accepted'));
  await client.subscribeToDeleteShadowRejected(thing, QOS, note('delete/rejected'));
  await client.subscribeToShadowDeltaUpdatedEvents(thing, QOS, note('update/delta'));
  await client.subscribeToShadowUpdatedEvents(thing, QOS, note('update/documents'));
}

async function classic(client, thingName) {
  await subscribeClassic(client, thingName);
  await client.publishGetShadow({ thingName, clientToken: 'get-1' }, QOS);
  await waitFor('get/rejected');
  await client.publishUpdateShadow({ thingName, clientToken: 'update-1', state: { desired: { led: 'on' } } }, QOS);
  await waitFor('update/accepted');
  await client.publishUpdateShadow(
    { thingName, clientToken: 'update-2', version: 1, state: { reported: { led: 'on', rpm: 3 } } },
    QOS,
  );
  await waitFor('update/accepted', 2);
  await client.publishUpdateShadow({ thingName, clientToken: 'update-3', version: 1, state: { desired: {} } }, QOS);
  await waitFor('update/rejected');
  await client.publishGetShadow({ thingName, clientToken: 'get-2' }, QOS);
  await waitFor('get/accepted');
  await client.publishDeleteShadow({ thingName, clientToken: 'delete-1' }, QOS);
  await waitFor('delete/accepted');
  await client.publishDeleteShadow({ thingName, clientToken: 'delete-2' }, QOS);
  await waitFor('delete/rejected');
}

async function named(client, thingName, shadowName) {
  const shadow = { thingName, shadowName };
  await client.subscribeToUpdateNamedShadowAccepted(shadow, QOS, note('named update/accepted'));
  await client.subscribeToNamedShadowDeltaUpdatedEvents(shadow, QOS, note('named update/delta'));
  await client.subscribeToGetNamedShadowAccepted(shadow, QOS, note('named get/accepted'));
  await client.subscribeToDeleteNamedShadowAccepted(shadow, QOS, note('named delete/accepted'));
  await client.publishUpdateNamedShadow({ ...shadow, clientToken: 'n-1', state: { desired: { door: 'open' } } }, QOS);
  await waitFor('named update/accepted');
  await client.publishGetNamedShadow({ ...shadow, clientToken: 'n-2' }, QOS);
  await waitFor('named get/accepted');
  await client.publishDeleteNamedShadow({ ...shadow, clientToken: 'n-3' }, QOS);
  await waitFor('named delete/accepted');
}

const link = options.version === 5 ? await connect5(options) : await connect311(options);
const client = link.client
  ? iotshadow.IotShadowClient.newFromMqtt5Client(link.client)
  : new iotshadow.IotShadowClient(link.connection);
await classic(client, options.thing);
await named(client, options.thing, 'door');
await link.close();
process.stdout.write(`${JSON.stringify(events)}\n`, () => process.exit(0));
