import { readFileSync } from 'node:fs';
import awsIot from 'aws-iot-device-sdk';
import { auth, iot, mqtt, mqtt5 } from 'aws-iot-device-sdk-v2';
import { exchange311, exchange5, exchangeV1 } from './exchanges.mjs';

/**
 * A device by each of the SDKs of AWS, over a WebSocket with a signed URL: v2 with MQTT 3.1.1 and 5, and v1, which speaks
 * TLS only. Prints what each was answered, and how a connection with a wrong secret ended.
 */
const { port, tlsPort, ca, keys, region, thing, foreign } = JSON.parse(process.argv[2]);
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

function device311(key) {
  const config = iot.AwsIotMqttConnectionConfigBuilder.new_with_websockets({
    region,
    credentials_provider: credentials(key),
  })
    .with_endpoint('127.0.0.1')
    .with_port(port)
    .with_client_id(`${thing}:311`)
    .build();
  config.tls_ctx = undefined;
  return exchange311(new mqtt.MqttClient().new_connection(config), { thing, foreign, by: '311' });
}

function device5(key) {
  const config = iot.AwsIotMqtt5ClientConfigBuilder.newWebsocketMqttBuilderWithSigv4Auth('127.0.0.1', {
    region,
    credentialsProvider: credentials(key),
  })
    .withPort(port)
    .withConnectProperties({ clientId: `${thing}:5`, keepAliveIntervalSeconds: 30 })
    .build();
  config.tlsCtx = undefined;
  return exchange5(new mqtt5.Mqtt5Client(config), { thing, foreign, by: '5' });
}

function deviceV1({ id, secret }) {
  const device = awsIot.device({
    ...{ protocol: 'wss', host: 'localhost', port: tlsPort, region, clientId: `${thing}:v1` },
    ...{ accessKeyId: id, secretKey: secret, websocketOptions: { ca: readFileSync(ca) } },
  });
  return exchangeV1(device, { thing, foreign, by: 'v1' });
}
