import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import awsIot from 'aws-iot-device-sdk';
import { auth, iot, mqtt, mqtt5 } from 'aws-iot-device-sdk-v2';

/**
 * A device by each of the SDKs of AWS, over a WebSocket with a signed URL: v2 with MQTT 3.1.1 and 5, and v1, which speaks
 * TLS only. Prints what each was answered to an update of its own thing, and to a subscription for another one; at last
 * how a connection with a wrong secret ended.
 */
const { port, tlsPort, ca, keys, region, thing, foreign } = JSON.parse(process.argv[2]);
const UPDATE = `$aws/things/${thing}/shadow/update`;
const FOREIGN = `$aws/things/${foreign}/shadow/update/accepted`;
setTimeout(() => process.exit(1), 40_000).unref();

const results = {
  v2_311: await device311(keys[0]),
  v2_5: await device5(keys[1]),
  v1: await deviceV1(keys[2]),
  wrong: await device311({ ...keys[0], secret: 'wrong' }).catch((error) => String(error)),
};
process.stdout.write(`${JSON.stringify(results)}\n`, () => process.exit(0));

function credentials({ id, secret }) {
  return auth.AwsCredentialsProvider.newStatic(id, secret);
}

function update(by) {
  return JSON.stringify({ state: { reported: { by } }, clientToken: by });
}

async function device311(key) {
  const config = iot.AwsIotMqttConnectionConfigBuilder.new_with_websockets({
    region,
    credentials_provider: credentials(key),
  })
    .with_endpoint('127.0.0.1')
    .with_port(port)
    .with_client_id(`${thing}:311`)
    .build();
  config.tls_ctx = undefined;
  const connection = new mqtt.MqttClient().new_connection(config);
  connection.on('error', () => undefined);
  await connection.connect();
  const answer = new Promise((resolve) => {
    void connection
      .subscribe(`${UPDATE}/accepted`, mqtt.QoS.AtLeastOnce, (_topic, payload) =>
        resolve(JSON.parse(Buffer.from(payload)).clientToken),
      )
      .then(() => connection.publish(UPDATE, update('311'), mqtt.QoS.AtLeastOnce));
  });
  const accepted = await answer;
  const refused = await connection
    .subscribe(FOREIGN, mqtt.QoS.AtLeastOnce, () => undefined)
    .then(
      ({ error_code, qos }) => error_code !== 0 || qos === 128,
      () => true,
    );
  await connection.disconnect();
  return { accepted, refused };
}

async function device5(key) {
  const config = iot.AwsIotMqtt5ClientConfigBuilder.newWebsocketMqttBuilderWithSigv4Auth('127.0.0.1', {
    region,
    credentialsProvider: credentials(key),
  })
    .withPort(port)
    .withConnectProperties({ clientId: `${thing}:5`, keepAliveIntervalSeconds: 30 })
    .build();
  config.tlsCtx = undefined;
  const client = new mqtt5.Mqtt5Client(config);
  client.on('error', () => undefined);
  const connected = once(client, 'connectionSuccess');
  client.start();
  await connected;
  const qos = mqtt5.QoS.AtLeastOnce;
  await client.subscribe({ subscriptions: [{ topicFilter: `${UPDATE}/accepted`, qos }] });
  const received = once(client, 'messageReceived');
  await client.publish({ topicName: UPDATE, qos, payload: update('5') });
  const [{ message }] = await received;
  const { reasonCodes } = await client.subscribe({ subscriptions: [{ topicFilter: FOREIGN, qos }] });
  client.stop();
  return { accepted: JSON.parse(Buffer.from(message.payload)).clientToken, refused: reasonCodes[0] === 0x87 };
}

async function deviceV1({ id, secret }) {
  const device = awsIot.device({
    ...{ protocol: 'wss', host: 'localhost', port: tlsPort, region, clientId: `${thing}:v1` },
    ...{ accessKeyId: id, secretKey: secret, websocketOptions: { ca: readFileSync(ca) } },
  });
  device.on('error', () => undefined);
  await once(device, 'connect');
  const subscribed = (topic) =>
    new Promise((resolve) => device.subscribe(topic, { qos: 1 }, (_error, granted) => resolve(granted?.[0]?.qos)));
  await subscribed(`${UPDATE}/accepted`);
  const received = once(device, 'message');
  device.publish(UPDATE, update('v1'), { qos: 1 });
  const [, payload] = await received;
  const refused = (await subscribed(FOREIGN)) === 128;
  device.end(true);
  return { accepted: JSON.parse(payload).clientToken, refused };
}
