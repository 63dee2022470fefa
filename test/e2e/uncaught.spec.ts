import { logLines, startNode } from '../harness/node-process.js';
import { until } from '../harness/until.js';
import { cleanupAfterAll } from './steps/cleanup.js';
import { Device } from './steps/device.js';
import { Rest } from './steps/rest.js';

const cleanup = cleanupAfterAll();
/** MQTT 5: Server shutting down. */
const SERVER_SHUTTING_DOWN = 0x8b;
/** A module that is loaded before the node, and throws into its event loop on SIGUSR2. */
const PLANTED = "process.on('SIGUSR2', () => { throw new Error('planted'); });";

it('an exception that nothing caught is logged as fatal, the node drains, and exits with 1', async () => {
  const module = `data:text/javascript,${encodeURIComponent(PLANTED)}`;
  const node = await startNode({ env: { NODE_OPTIONS: `--import=${module}` } });
  cleanup(() => node.stop());
  const device = await Device.connect(node.mqttUrl);
  cleanup(() => device.close());
  const rest = new Rest(node.httpUrl);
  expect((await rest.update('before', '{"state":{"desired":{"a":1}}}')).status).toBe(200);

  node.signal('SIGUSR2');
  expect(await node.exited).toEqual({ code: 1, signal: null });
  await until('the device is told', () => device.disconnects.length > 0);
  expect(device.disconnects).toEqual([SERVER_SHUTTING_DOWN]);
  const lines = logLines(node.logs());
  expect(lines.find(({ level }) => level === 60)).toMatchObject({
    err: { message: 'planted', stack: expect.stringContaining('Error: planted') },
    origin: 'uncaughtException',
  });
  expect(lines.at(-1)).toMatchObject({ msg: 'stopped' });
});
