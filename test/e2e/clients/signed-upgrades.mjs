import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import awsIot from 'aws-iot-device-sdk';
import { auth, iot, mqtt, mqtt5 } from 'aws-iot-device-sdk-v2';

/**
 * Connects once over a WebSocket with a signed URL by each of the device SDKs of AWS: v2 with MQTT 3.1.1 and 5, and v1,
 * which speaks TLS only. Prints null when all have tried: the servers record the URLs, and refuse the connections.
 */
const { port, tlsPort, ca, id, secret, token, region } = JSON.parse(process.argv[2]);
setTimeout(() => process.exit(1), 40_000).unref();

await connect311();
await connect5();
await connectV1();
process.stdout.write('null\n', () => process.exit(0));

function credentials() {
  return auth.AwsCredentialsProvider.newStatic(id, secret, token);
}

async function connect311() {
  const builder = iot.AwsIotMqttConnectionConfigBuilder.new_with_websockets({
    region,
    credentials_provider: credentials(),
  });
  const config = builder.with_endpoint('127.0.0.1').with_port(port).with_client_id('v2-311').build();
  config.tls_ctx = undefined;
  const connection = new mqtt.MqttClient().new_connection(config);
  connection.on('error', () => undefined);
  await connection.connect().catch(() => undefined);
}

async function connect5() {
  const builder = iot.AwsIotMqtt5ClientConfigBuilder.newWebsocketMqttBuilderWithSigv4Auth('127.0.0.1', {
    region,
    credentialsProvider: credentials(),
  });
  const config = builder.withPort(port).build();
  config.tlsCtx = undefined;
  const client = new mqtt5.Mqtt5Client(config);
  client.on('error', () => undefined);
  const refused = once(client, 'connectionFailure');
  client.start();
  await refused;
  client.stop();
}

async function connectV1() {
  const device = awsIot.device({
    ...{ protocol: 'wss', host: 'localhost', port: tlsPort, region, clientId: 'v1' },
    ...{ accessKeyId: id, secretKey: secret, sessionToken: token, websocketOptions: { ca: readFileSync(ca) } },
  });
  device.on('error', () => undefined);
  await once(device, 'close');
  device.end(true);
}
