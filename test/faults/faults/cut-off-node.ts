import { setTimeout as pause } from 'node:timers/promises';
import { DeviceConnection } from '../actors/device.js';
import { topicOf, within } from '../actors/mqtt-actors.js';
import { readOverHttp } from '../actors/rest-caller.js';
import type { LabNode, Topology } from '../topology.js';
import { PROMISES } from '../validate/promises.js';
import type { FaultContext, Heal } from './faults.js';

/** Things of which a request waits on the node that is cut off. */
const THINGS = 20;
/** Milliseconds after the cut at which the requests come: the node still holds its lane then. */
const REQUESTS_AFTER_MS = 1_200;
/** Milliseconds for another node to hold the lane, and for an answer. */
const TAKEOVER_MS = 12_000;
/** Milliseconds in which a node that went on with its lane would have taken its session back. */
const NOTICE_MS = 7_000;
/** For which the first node could try again what it had. The takeover and NOTICE_MS are well within it. */
export const LONG_REQUESTS_MS = 20_000;

/**
 * The holder of a lane loses etcd, and nothing else. It has requests; another node takes the lane over, gets them too, and
 * then accepts later ones. What the first node does once it is back must not undo those.
 */
export async function cutOffHolder(context: FaultContext): Promise<Heal> {
  const { topology, history, prefix } = context;
  const door = topology.doors[0];
  if (!door) throw new Error('no door');
  const things = Array.from({ length: THINGS }, (_, i) => `${prefix}cut${i}`);
  const device = await Client.open(door.port, `${prefix}-cut`);
  await device.updateAll(things, 0);
  const holder = await holderOf(topology);
  for (const proxy of holder.proxies) proxy.set('refuse');
  await pause(REQUESTS_AFTER_MS);
  // Nobody waits for the first ones here: they have their answers from whoever carries them out.
  const requestedAt = history.now();
  const first = device.updateAll(things, 1);
  const taker = await otherHolder(topology, holder);
  if (taker === null)
    history.remarks.push({ promise: PROMISES.serves, text: 'nobody took the lane of a lost node over' });
  await first;
  await checkGivenUp(context, holder);
  const late = await device.updateAll(things, 2);
  const before = await versionsOf(taker ?? holder, things);
  return async () => {
    for (const proxy of holder.proxies) proxy.set('pass');
    await pause(Math.max(0, requestedAt + LONG_REQUESTS_MS + 1_000 - history.now()));
    device.close();
    const undone: string[] = [];
    for (const [thing, was] of before) {
      const { told } = await readOverHttp((taker ?? holder).httpUrl, thing);
      if (!late.has(thing)) continue;
      if (told?.desired['x'] !== 2)
        undone.push(`${thing}: version ${was} -> ${told?.version}, x 2 -> ${String(told?.desired['x'])}`);
    }
    if (undone.length === 0) return;
    const text = `${undone.length} of ${before.size} accepted updates were undone: ${undone[0]}`;
    history.remarks.push({ promise: PROMISES.undone, text });
  };
}

/** Its own clock ends a lease that etcd can no longer end for it: a node that was cut off must not hold on to lanes. */
async function checkGivenUp({ topology, history }: FaultContext, holder: LabNode): Promise<void> {
  const before = lanesTakenFrom(topology);
  await pause(NOTICE_MS);
  const moved = lanesTakenFrom(topology) - before;
  if (moved === 0) return;
  const text = `node ${holder.index} goes on with lanes although its lease has ended: sessions changed hands ${moved} times`;
  history.remarks.push({ promise: PROMISES.lease, text });
}

/** mosquitto ends the older connection when a second one comes with the same client id. */
function lanesTakenFrom({ broker }: Topology): number {
  return (broker?.logs() ?? '').split('already connected').length - 1;
}

async function instanceOf({ members }: Topology): Promise<string | null> {
  const { kvs } = await members[0]!.client.kv.range({ key: Buffer.from('\0'), range_end: Buffer.from('\0') });
  const claim = kvs.find(({ key }) => /\/claims\/consume\//.test(key.toString()));
  return claim?.value.toString() ?? null;
}

async function nodeWithLane(topology: Topology): Promise<LabNode | null> {
  const instance = await instanceOf(topology);
  return topology.nodes.find(({ index }) => instance?.startsWith(`lab-${index}.`)) ?? null;
}

/** @throws Error when nobody holds the lane */
async function holderOf(topology: Topology): Promise<LabNode> {
  const node = await nodeWithLane(topology);
  if (!node) throw new Error('nobody holds the lane');
  return node;
}

async function otherHolder(topology: Topology, than: LabNode): Promise<LabNode | null> {
  for (const from = performance.now(); performance.now() - from < TAKEOVER_MS; await pause(50)) {
    const node = await nodeWithLane(topology);
    if (node && node !== than) return node;
  }
  return null;
}

async function versionsOf({ httpUrl }: LabNode, things: readonly string[]): Promise<Map<string, number>> {
  const versions = new Map<string, number>();
  for (const thing of things) versions.set(thing, (await readOverHttp(httpUrl, thing)).told?.version ?? 0);
  return versions;
}

/** A device of many things that waits for `accepted`. */
class Client {
  readonly #accepted = new Map<string, (accepted: boolean) => void>();

  private constructor(private readonly connection: () => DeviceConnection) {}

  static async open(port: number, clientId: string): Promise<Client> {
    let connection: DeviceConnection | null = null;
    const client = new Client(() => connection as DeviceConnection);
    const onMessage = (_topic: string, payload: Buffer): void => {
      const { clientToken } = JSON.parse(payload.toString()) as { clientToken?: string };
      client.#accepted.get(clientToken ?? '')?.(true);
    };
    connection = await DeviceConnection.open({ clientId, port, onMessage });
    await connection.subscribe([topicOf('+', 'update/accepted')], 1);
    return client;
  }

  /** Sets x of each; the things of which `accepted` came. */
  async updateAll(things: readonly string[], x: number): Promise<Set<string>> {
    const done = new Set<string>();
    await Promise.all(
      things.map(async (thing) => {
        const clientToken = `${thing}-x${x}`;
        const answer = new Promise<boolean>((resolve) => this.#accepted.set(clientToken, resolve));
        const body = JSON.stringify({ state: { desired: { x } }, clientToken });
        void this.connection().publish(topicOf(thing, 'update'), body);
        if (await within(answer, TAKEOVER_MS)) done.add(thing);
      }),
    );
    return done;
  }

  close(): void {
    this.connection().close();
  }
}

/** mosquitto takes nothing and sends nothing, and keeps its connections: everything that is published has to wait. */
export async function stopBroker({ topology: { broker } }: FaultContext): Promise<Heal> {
  if (!broker) throw new Error('no mosquitto');
  broker.pause();
  return async () => broker.resume();
}
