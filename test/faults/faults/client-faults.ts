import { setTimeout as pause } from 'node:timers/promises';
import { EventReader } from '../../harness/event-reader.js';
import { DeviceConnection } from '../actors/device.js';
import type { FaultContext, Heal } from './faults.js';
import { topicOf, within } from '../actors/mqtt-actors.js';
import { PROMISES } from '../validate/promises.js';

const SILENT = 6;
const STORM = 2_000;
/** Milliseconds in which all devices of a storm must be served. */
const STORM_MS = 60_000;

/** Devices that subscribe to everything and then never read. Each must be cut off, and nobody else may wait for it. */
export async function silentDevices({ topology, history, prefix }: FaultContext): Promise<Heal> {
  const node = topology.node(0);
  const tails = ['update/delta', 'update/documents', 'update/accepted'];
  const filters = tails.flatMap((tail) => [topicOf('+', tail), topicOf('+/+', tail)]);
  const devices: DeviceConnection[] = [];
  for (let i = 0; i < SILENT; i++) {
    const device = await DeviceConnection.open({ clientId: `${prefix}-silent-${i}`, port: node.mqttPort });
    await device.subscribe(filters, 1);
    device.stopReading();
    devices.push(device);
  }
  return async () => {
    for (let i = 0; i < SILENT; i++) {
      if (!new RegExp(`${prefix}-silent-${i}\\b`).test(cutOff(node.logs()))) {
        history.remarks.push({ promise: PROMISES.bounded, text: `silent device ${i} was not cut off` });
      }
    }
    for (const device of devices) device.close();
  };
}

function cutOff(logs: string): string {
  return logs
    .split('\n')
    .filter((line) => line.includes('"too-slow"'))
    .join('\n');
}

/** Devices that subscribe to everything and read nothing for a while. Nobody else may wait for them. */
export async function slowDevices({ topology, random, prefix }: FaultContext): Promise<Heal> {
  const node = random.pick(topology.nodes);
  const devices: DeviceConnection[] = [];
  const tails = ['update/delta', 'update/documents', 'update/accepted'];
  const filters = tails.flatMap((tail) => [topicOf('+', tail), topicOf('+/+', tail)]);
  for (let i = 0; i < SILENT; i++) {
    const clientId = `${prefix}-slow-${i}-${random.int(0, 1e9)}`;
    const device = await DeviceConnection.open({ clientId, port: node.mqttPort }).catch(() => null);
    if (!device) continue;
    devices.push(device);
    if (await within(device.subscribe(filters, 1), 5_000)) device.stopReading();
  }
  return async () => {
    for (const device of devices) device.readAgain();
    await pause(300);
    for (const device of devices) device.close();
  };
}

/** 2,000 devices connect at once, subscribe and ask for their shadow; then all are cut and do it again. */
export async function reconnectStorm(context: FaultContext): Promise<Heal> {
  let connections = await storm(context, 0);
  for (const connection of connections) connection.close();
  connections = await storm(context, 1);
  return async () => {
    for (const connection of connections) connection.close();
  };
}

async function storm({ topology, history, prefix }: FaultContext, round: number): Promise<DeviceConnection[]> {
  const from = history.now();
  const connections: DeviceConnection[] = [];
  let served = 0;
  await Promise.all(
    Array.from({ length: STORM }, async (_, i) => {
      const thing = `${prefix}-storm-${i}`;
      while (history.now() - from < STORM_MS) {
        try {
          const port = topology.node(i).mqttPort;
          let answered: () => void = () => undefined;
          const answer = new Promise<void>((resolve) => (answered = resolve));
          const clientId = `${thing}-${round}`;
          const device = await DeviceConnection.open({ clientId, port, onMessage: answered, onClose: answered });
          if (!(await device.subscribe([topicOf(thing, 'update/delta'), topicOf(thing, 'get/+')]))) continue;
          if (!(await device.publish(topicOf(thing, 'get'), '{}'))) continue;
          await answer;
          connections.push(device);
          served++;
          return;
        } catch {
          await pause(500);
        }
      }
    }),
  );
  const took = Math.round(history.now() - from);
  history.faults.push({ fault: `storm ${round}: ${served} devices served in ${took} ms`, from, to: history.now() });
  if (served < STORM) {
    history.remarks.push({ promise: PROMISES.convergence, text: `only ${served} of ${STORM} devices were served` });
  }
  return connections;
}

/** A node sleeps, loses its connections, and what it missed is compacted before it wakes up. */
export async function compactWhileAway({ topology, random }: FaultContext): Promise<Heal> {
  const node = random.pick(topology.nodes);
  node.signal('SIGSTOP');
  await pause(300);
  for (const proxy of topology.proxies) proxy.cutAll();
  return async () => {
    const member = topology.members[await topology.leader()]!;
    const { header } = await member.client.kv.range({ key: Buffer.from('head'), count_only: true });
    await member.client.kv.compact({ revision: header.revision, physical: true });
    // Later changes show whether the node goes on behind the gap.
    await pause(200);
    node.signal('SIGCONT');
  };
}

/** A node starts while its storage is away. A stream that is opened meanwhile must get a position before any change. */
export async function startWithoutStorage({ topology, history }: FaultContext): Promise<Heal> {
  const node = topology.node(0);
  await node.terminate();
  for (const proxy of topology.proxies) proxy.set('refuse');
  await node.start('listening');
  const reader = await EventReader.open(`${node.httpUrl}/v1/watch`);
  const first = reader.next();
  return async () => {
    for (const proxy of topology.proxies) proxy.set('pass');
    const event = await Promise.race([first, pause(15_000, null)]);
    reader.close();
    if (event?.event === 'bookmark') return;
    const text = `a stream opened before the storage was there begins with ${event?.event ?? 'nothing'}, not with its position`;
    history.remarks.push({ promise: PROMISES.resume, text });
  };
}
