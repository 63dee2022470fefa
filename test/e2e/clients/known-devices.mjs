import { readFileSync } from 'node:fs';
import awsIot from 'aws-iot-device-sdk';
import { iot, mqtt, mqtt5 } from 'aws-iot-device-sdk-v2';
import { exchange311, exchange5, exchangeV1 } from './exchanges.mjs';

/**
 * A device by each of the SDKs of AWS over TLS, which proves who it is by its certificate, or by a key as the password of
 * a custom authorizer. Prints what each was answered, or the error that ended it.
 */
const { mqttsPort, httpsPort, ca, own, stranger, key, wrongKey, thing, foreign } = JSON.parse(process.argv[2]);
const Builder311 = iot.AwsIotMqttConnectionConfigBuilder;
const Builder5 = iot.AwsIotMqtt5ClientConfigBuilder;
const HOST = 'localhost';
const USER = { username: 'lamp', password: key };
setTimeout(() => process.exit(1), 60_000).unref();

const ways = {
  'v1, certificate': (by) => v1({ by, pair: own }),
  'v1, foreign certificate': (by) => v1({ by, pair: stranger }),
  // It speaks MQTT over TLS with a certificate only; the key is judged before it.
  'v1, key beside a foreign certificate': (by) => v1({ by, pair: stranger, ...USER }),
  'v1, key over WebSocket': (by) => v1WebSocket({ by, ...USER }),
  'v1, wrong key over WebSocket': (by) => v1WebSocket({ by, username: 'lamp', password: wrongKey }),
  'v2 with 3.1.1, certificate': (by) => v2with311(by, mtls311(own)),
  'v2 with 3.1.1, foreign certificate': (by) => v2with311(by, mtls311(stranger)),
  'v2 with 3.1.1, key': (by) => v2with311(by, custom311(key)),
  'v2 with 3.1.1, wrong key': (by) => v2with311(by, custom311(wrongKey)),
  'v2 with 5, certificate': (by) => v2with5(by, mtls5(own)),
  'v2 with 5, foreign certificate': (by) => v2with5(by, mtls5(stranger)),
  'v2 with 5, key': (by) => v2with5(by, Builder5.newDirectMqttBuilderWithCustomAuth(HOST, USER)),
  'v2 with 5, wrong key': (by) =>
    v2with5(by, Builder5.newDirectMqttBuilderWithCustomAuth(HOST, { ...USER, password: wrongKey })),
  'v2 with 5, key over WebSocket': (by) =>
    v2with5(by, Builder5.newWebsocketMqttBuilderWithCustomAuth(HOST, USER), httpsPort),
};
const results = {};
for (const [at, [way, exchange]] of Object.entries(ways).entries())
  results[way] = await exchange(String(at)).catch((error) => String(error));
process.stdout.write(`${JSON.stringify(results)}\n`, () => process.exit(0));

function v1({ by, pair, ...more }) {
  const files = { caPath: ca, certPath: pair.cert, keyPath: pair.key };
  const device = awsIot.device({
    ...{ protocol: 'mqtts', host: HOST, port: mqttsPort, clientId: `${thing}:${by}` },
    ...files,
    ...more,
  });
  return exchangeV1(device, { thing, foreign, by });
}

function v1WebSocket({ by, ...more }) {
  const device = awsIot.device({
    ...{ protocol: 'wss-custom-auth', host: HOST, port: httpsPort, region: 'any', clientId: `${thing}:${by}` },
    ...{ customAuthHeaders: { 'x-amz-customauthorizer-name': 'any' }, websocketOptions: { ca: readFileSync(ca) } },
    ...more,
  });
  return exchangeV1(device, { thing, foreign, by });
}

function mtls311(pair) {
  return Builder311.new_mtls_builder_from_path(pair.cert, pair.key);
}

function custom311(password) {
  return Builder311.new_default_builder().with_custom_authorizer('lamp', 'any', '', password);
}

function v2with311(by, builder) {
  const config = builder
    .with_certificate_authority_from_path(undefined, ca)
    .with_endpoint(HOST)
    .with_port(mqttsPort)
    .with_client_id(`${thing}:${by}`)
    .build();
  return exchange311(new mqtt.MqttClient().new_connection(config), { thing, foreign, by });
}

function mtls5(pair) {
  return Builder5.newDirectMqttBuilderWithMtlsFromPath(HOST, pair.cert, pair.key);
}

function v2with5(by, builder, port = mqttsPort) {
  const config = builder
    .withCertificateAuthorityFromPath(undefined, ca)
    .withPort(port)
    .withConnectProperties({ clientId: `${thing}:${by}`, keepAliveIntervalSeconds: 30 })
    .build();
  return exchange5(new mqtt5.Mqtt5Client(config), { thing, foreign, by });
}
