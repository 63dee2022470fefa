import { once } from 'node:events';
import { io, iot, mqtt, mqtt5 } from 'aws-iot-device-sdk-v2';

/** Connections of aws-iot-device-sdk-v2: without TLS through its configuration objects, with TLS through its builders. */

/** @param o { host, port, clientId, tls?: { ca, cert, key } } */
export async function connect311(o) {
  const connection = new mqtt.MqttClient().new_connection(o.tls ? tlsConfig311(o) : plainConfig311(o));
  connection.on('error', () => undefined);
  await connection.connect();
  return { connection, close: () => connection.disconnect() };
}

function plainConfig311({ host, port, clientId }) {
  return {
    host_name: host,
    port,
    client_id: clientId,
    clean_session: true,
    keep_alive: 30,
    socket_options: new io.SocketOptions(io.SocketType.STREAM, io.SocketDomain.IPV4, 5000),
  };
}

function tlsConfig311({ host, port, clientId, tls }) {
  return iot.AwsIotMqttConnectionConfigBuilder.new_mtls_builder_from_path(tls.cert, tls.key)
    .with_certificate_authority_from_path(undefined, tls.ca)
    .with_endpoint(host)
    .with_port(port)
    .with_client_id(clientId)
    .with_clean_session(true)
    .build();
}

export async function connect5(o) {
  const client = new mqtt5.Mqtt5Client(o.tls ? tlsConfig5(o) : plainConfig5(o));
  client.on('error', () => undefined);
  const outcome = Promise.race([
    once(client, 'connectionSuccess'),
    once(client, 'connectionFailure').then(([event]) => {
      throw new Error(`connection refused: ${event.error}`);
    }),
  ]);
  client.start();
  await outcome;
  const close = async () => {
    const stopped = once(client, 'stopped');
    client.stop();
    await stopped;
    client.close();
  };
  return { client, close };
}

function plainConfig5({ host, port, clientId }) {
  return { hostName: host, port, connectProperties: { clientId, keepAliveIntervalSeconds: 30 } };
}

function tlsConfig5({ host, port, clientId, tls }) {
  return iot.AwsIotMqtt5ClientConfigBuilder.newDirectMqttBuilderWithMtlsFromPath(host, tls.cert, tls.key)
    .withCertificateAuthorityFromPath(undefined, tls.ca)
    .withPort(port)
    .withConnectProperties({ clientId, keepAliveIntervalSeconds: 30 })
    .build();
}
