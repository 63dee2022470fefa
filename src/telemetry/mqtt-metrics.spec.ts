import { AccessMetrics } from './access-metrics.js';
import { connectionReadings, MqttMetrics } from './mqtt-metrics.js';
import type { Sample } from './recorder.js';

/** Values of labels of what is not 0, with the value. */
const counted = (samples: Sample[] | null): unknown[] =>
  (samples ?? [])
    .filter(({ value }) => value > 0)
    .map(({ labels, value }) => [labels.filter((_, i) => i % 2 === 1).join(' '), value]);

it('counts packets by the numbers of their types', () => {
  const metrics = new MqttMetrics();
  for (const type of [1, 3, 3, 14]) metrics.received(type);
  for (const type of [2, 4]) metrics.sent(type);
  expect(counted(metrics.packets.samples())).toEqual([
    ['received connect', 1],
    ['received publish', 2],
    ['received disconnect', 1],
    ['sent connack', 1],
    ['sent puback', 1],
  ]);
});

it('counts clients by version and transport, also where there is none', () => {
  const readings = connectionReadings([
    { version: '5', transport: 'tls' },
    { version: '5', transport: 'tls' },
    { version: '3.1.1', transport: 'websocket' },
  ]);
  expect(readings.map(([labels, value]) => [...labels, value].join(' '))).toEqual([
    ...['3.1.1 tcp 0', '3.1.1 tls 0', '3.1.1 websocket 1', '5 tcp 0', '5 tls 2', '5 websocket 0'],
  ]);
});

it('counts refusals by their code, and those without one together', () => {
  const metrics = new AccessMetrics();
  for (const code of ['AUTH_202', 'AUTH_202', 'forbidden', null, 'AUTH_999']) metrics.refused(code);
  expect(counted(metrics.refusals.samples())).toEqual([
    ['AUTH_202', 2],
    ['other', 3],
  ]);
});
