import type { Lab, Measured, NodePlace, Peer, Side } from '../lab.js';
import { openRelayLoad } from '../load/relay-load.js';
import { openUpdateLoad, type UpdateLoadOptions } from '../load/update-load.js';

/** What the devices of a bench do beside updating. */
export type DeviceWays = Pick<UpdateLoadOptions, 'tls' | 'qos' | 'documents'>;

export interface Door {
  readonly peer: Peer;
  /** Of the devices; distinct within one store. */
  readonly name: string;
  readonly devices: number;
  readonly place?: NodePlace;
  /** Of what is behind the door. */
  readonly pids?: Readonly<Record<string, number>>;
  readonly ways?: DeviceWays;
}

/** Devices that update their shadows at a node of their own. */
export async function atDoor(lab: Lab, { peer, name, devices, place, pids, ways = {} }: Door): Promise<Side> {
  const { mqttPort, mqttsPort, process } = await lab.node(peer, place);
  const port = ways.tls ? (mqttsPort ?? mqttPort) : mqttPort;
  const load = await openUpdateLoad({ ports: [port], devices, prefix: name, ...ways });
  lab.onEnd(() => load.end());
  return lab.loaded(load, { node: process.pid, ...pids });
}

/** The same bytes through a mosquitto that does nothing but relay; its processor is told as the node's. */
export async function atRelay(
  lab: Lab,
  devices: number,
  ways: DeviceWays = {},
  settings: Readonly<Record<string, string>> = {},
): Promise<Side> {
  const mosquitto = await lab.mosquitto(settings);
  const ports = [Number(new URL(mosquitto.url).port)];
  const load = await openRelayLoad({ ports, devices, prefix: 'relay', ...ways });
  lab.onEnd(() => load.end());
  return lab.loaded(load, { node: mosquitto.pid });
}

export type Opening = () => Promise<Side>;

/** Two at a time: a start partly waits, but more of them would keep each other from being ready in time. */
export async function opened(starting: Readonly<Record<string, Opening>>): Promise<Record<string, Side>> {
  const left = Object.entries(starting);
  const sides: Record<string, Side> = {};
  const worker = async (): Promise<void> => {
    for (let next = left.shift(); next; next = left.shift()) sides[next[0]] = await next[1]();
  };
  await Promise.all([worker(), worker()]);
  // In the order in which they were named, which is that of the turns.
  return Object.fromEntries(Object.keys(starting).map((name) => [name, sides[name] as Side]));
}

/** Microseconds of processor of the node, or of what stands for it, per operation. */
export const nodeCost = ({ cost }: Measured): number => cost['node'] ?? Number.NaN;
