import { once } from 'node:events';
import { mqtt, mqtt5 } from 'aws-iot-device-sdk-v2';

/**
 * What a device does once it is connected, by each of the SDKs of AWS: it updates its own thing, and subscribes to answers
 * for another one. Each returns `{ accepted, refused }`: the token of its answer, and whether the subscription was refused.
 */

const updateOf = (thing) => `$aws/things/${thing}/shadow/update`;
const foreignOf = (thing) => `${updateOf(thing)}/accepted`;
const update = (by) => JSON.stringify({ state: { reported: { by } }, clientToken: by });
const tokenOf = (payload) => JSON.parse(Buffer.from(payload)).clientToken;

/** aws-iot-device-sdk-v2 with MQTT 3.1.1; connects. */
export async function exchange311(connection, { thing, foreign, by }) {
  connection.on('error', () => undefined);
  await connection.connect();
  const topic = updateOf(thing);
  const qos = mqtt.QoS.AtLeastOnce;
  const answer = new Promise((resolve) => {
    void connection
      .subscribe(`${topic}/accepted`, qos, (_topic, payload) => resolve(tokenOf(payload)))
      .then(() => connection.publish(topic, update(by), qos));
  });
  const accepted = await answer;
  const refused = await connection
    .subscribe(foreignOf(foreign), qos, () => undefined)
    .then(
      (granted) => granted.error_code !== 0 || granted.qos === 128,
      () => true,
    );
  await connection.disconnect();
  return { accepted, refused };
}

/** aws-iot-device-sdk-v2 with MQTT 5; connects. */
export async function exchange5(client, { thing, foreign, by }) {
  client.on('error', () => undefined);
  const connected = Promise.race([
    once(client, 'connectionSuccess'),
    once(client, 'connectionFailure').then(([{ error, connack }]) => {
      throw new Error(`${connack?.reasonCode} ${error}`);
    }),
  ]);
  client.start();
  try {
    await connected;
    const qos = mqtt5.QoS.AtLeastOnce;
    const topicName = updateOf(thing);
    await client.subscribe({ subscriptions: [{ topicFilter: `${topicName}/accepted`, qos }] });
    const received = once(client, 'messageReceived');
    await client.publish({ topicName, qos, payload: update(by) });
    const [{ message }] = await received;
    const { reasonCodes } = await client.subscribe({ subscriptions: [{ topicFilter: foreignOf(foreign), qos }] });
    return { accepted: tokenOf(message.payload), refused: reasonCodes[0] === 0x87 };
  } finally {
    client.stop();
  }
}

/** aws-iot-device-sdk, which is connecting. */
export async function exchangeV1(device, { thing, foreign, by }) {
  const failed = once(device, 'error').then(([error]) => {
    device.end(true);
    throw error;
  });
  await Promise.race([once(device, 'connect'), failed]);
  failed.catch(() => undefined);
  const subscribed = (topic) =>
    new Promise((resolve) => device.subscribe(topic, { qos: 1 }, (_error, granted) => resolve(granted?.[0]?.qos)));
  const topic = updateOf(thing);
  await subscribed(`${topic}/accepted`);
  const received = once(device, 'message');
  device.publish(topic, update(by), { qos: 1 });
  const [, payload] = await received;
  const refused = (await subscribed(foreignOf(foreign))) === 128;
  device.end(true);
  return { accepted: tokenOf(payload), refused };
}
