import { once } from 'node:events';
import awsIot from 'aws-iot-device-sdk';

/** thingShadow of aws-iot-device-sdk 2.x: prints the answer to every operation, and the events it was given. */
const { host, port, tls, clientId, thing } = JSON.parse(process.argv[2]);
const answers = {};
const events = { delta: [], foreign: [], timeout: [], error: [] };
setTimeout(() => {
  process.stderr.write(JSON.stringify({ answers, events }));
  process.exit(1);
}, 40_000).unref();

const device = await connect(clientId);
device.on('delta', (name, message) => events.delta.push({ name, message }));
device.on('foreignStateChange', (name, operation, message) => events.foreign.push({ name, operation, message }));

await register(device, {});
await run(device, 'get of nothing', () => device.get(thing));
await run(device, 'create', () => device.update(thing, { state: { desired: { led: 'on' } } }));
await run(device, 'settle', () => device.update(thing, { state: { reported: { led: 'on' } } }));
await run(device, 'get', () => device.get(thing));

// A device that listens only while it asks does not see the change of another one, and sends the old version.
device.unregister(thing);
await register(device, { ignoreDeltas: true, persistentSubscribe: false, qos: 1 });
await run(device, 'get once more', () => device.get(thing));
const app = await connect(`${clientId}-app`);
await register(app, { enableVersioning: false });
await run(app, 'change by another', () => app.update(thing, { state: { reported: { rpm: 9 } } }));
await run(device, 'conflict', () => device.update(thing, { state: { reported: { led: 'off' } } }));
await run(device, 'get after the conflict', () => device.get(thing));
await run(device, 'update after the conflict', () => device.update(thing, { state: { reported: { led: 'off' } } }));
await run(device, 'delete', () => device.delete(thing));
await run(device, 'get deleted', () => device.get(thing));

await Promise.all([device, app].map((client) => new Promise((resolve) => client.end(false, resolve))));
process.stdout.write(`${JSON.stringify({ answers, events })}\n`, () => process.exit(0));

async function connect(id) {
  const paths = { keyPath: tls.key, certPath: tls.cert, caPath: tls.ca };
  const client = awsIot.thingShadow({ protocol: 'mqtts', host, port, clientId: id, servername: 'localhost', ...paths });
  client.on('timeout', (name, token) => events.timeout.push({ name, token }));
  client.on('error', (error) => events.error.push(String(error)));
  await once(client, 'connect');
  return client;
}

function register(client, options) {
  return new Promise((resolve, reject) => {
    client.register(thing, options, (error, failed) => (error || failed ? reject(new Error(`${failed}`)) : resolve()));
  });
}

/** The token tells which answer belongs to the operation; null means that the SDK refused to send it. */
async function run(client, step, start) {
  let token = null;
  const answered = new Promise((resolve) => {
    const listen = (_name, status, answeredToken, message) => {
      if (answeredToken !== token) return;
      client.removeListener('status', listen);
      resolve({ status, message });
    };
    client.on('status', listen);
  });
  token = start();
  if (token === null) throw new Error(`${step}: the SDK did not send it`);
  answers[step] = await answered;
}
