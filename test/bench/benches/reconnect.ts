import { logLines } from '../../harness/node-process.js';
import { until } from '../../harness/until.js';
import type { Lab, RunningNode } from '../lab.js';
import type { HttpConnection } from '../load/http-connection.js';
import { Device } from '../load/mqtt-device.js';
import { cpuSeconds } from '../load/process-usage.js';
import { atMost, row, type Result } from '../result.js';
import { Secured, securedEnvironment } from '../secured.js';
import { median } from '../statistics.js';

const DEVICES = 2000;
const GOAL_SECONDS = 5;
const GOAL_BLOCKED_MS = 100;
/** Milliseconds for which a node is left alone before it is measured, so that it has put its start behind it. */
const REST_MS = 1000;
/** Milliseconds after which devices that are not served yet are given up. */
const MOST_MS = 60_000;
/** Last byte of the topic of a delta. */
const A = 'a'.charCodeAt(0);
/** What no device reports, so that its delta stays. */
const DESIRED = '{"state":{"desired":{"mode":"eco"}}}';

/** One return of all devices. */
interface Return {
  /** Seconds from the first connection to the last delta. */
  readonly served: number;
  /** Milliseconds of a device from its connection to its delta, of the median device. */
  readonly p50: number;
  /** Milliseconds for which the event loop of the node did nothing else, the longest time. */
  readonly blocked: number;
  /** Milliseconds of processor of the node for each device. */
  readonly cost: number;
}

/**
 * Devices lose their node and come back to it at once: each connects with its key, subscribes and waits for its delta.
 * `new` is a node that has just started, to which all come as they do when another node has died; `same` has had them
 * before. The same without credentials stands beside it.
 */
export async function reconnect(lab: Lab): Promise<Result> {
  const etcd = [await lab.etcd()];
  const devices = Array.from({ length: lab.size(DEVICES, DEVICES, 20) }, (_, i) => ({ name: `back-${i}` }));
  const place = { etcd, prefix: '/reconnect/', env: { ...securedEnvironment(lab), BENCH_LOOP_DELAY: '1' } };
  const first = await Secured.start(lab, place);
  const keys = await first.makeDevices(devices);
  await wish(first, devices);
  await first.node.process.stop();
  const found: Record<'new' | 'same' | 'open', Return[]> = { new: [], same: [], open: [] };
  for (let round = 0; round < lab.scale.pairs; round++) {
    const node = await lab.node('umbra', place);
    found.new.push(await comeBack(node, devices, keys));
    found.same.push(await comeBack(node, devices, keys));
    await node.process.stop();
    const open = await lab.node('umbra', { ...place, env: { BENCH_LOOP_DELAY: '1' } });
    found.open.push(await comeBack(open, devices));
    await open.process.stop();
    process.stderr.write('.');
  }
  const of = (returns: readonly Return[], what: keyof Return): number[] => returns.map((each) => each[what]);
  return {
    rows: [
      row('all served by a new node', of(found.new, 'served'), atMost(GOAL_SECONDS), ' s'),
      row('longest block of its event loop', of(found.new, 'blocked'), atMost(GOAL_BLOCKED_MS), ' ms'),
      row('all served by the same node', of(found.same, 'served'), atMost(GOAL_SECONDS), ' s'),
      row('longest block of its event loop, the same node', of(found.same, 'blocked'), atMost(GOAL_BLOCKED_MS), ' ms'),
      row('all served by a new node without credentials', of(found.open, 'served'), undefined, ' s'),
      row('longest block of its event loop, without credentials', of(found.open, 'blocked'), undefined, ' ms'),
    ],
    notes: Object.entries(found).map(
      ([name, returns]) =>
        `${name}: ${devices.length} devices, half of them after ${median(of(returns, 'p50')).toFixed(0)} ms; ` +
        `${median(of(returns, 'cost')).toFixed(2)} ms of processor of the node each`,
    ),
  };
}

/** Gives each shadow a delta, which its device gets whenever it comes back. */
async function wish(first: Secured, devices: readonly { readonly name: string }[]): Promise<void> {
  await first.each(devices, (http: HttpConnection, { name }) => http.send('POST', `/things/${name}/shadow`, DESIRED));
}

async function comeBack(
  node: RunningNode,
  devices: readonly { readonly name: string }[],
  keys?: ReadonlyMap<string, string>,
): Promise<Return> {
  await new Promise((resolve) => setTimeout(resolve, REST_MS));
  await loopDelay(node);
  const { pid } = node.process;
  const before = cpuSeconds(pid);
  const start = performance.now();
  const returned = await Promise.all(
    devices.map(async ({ name }) => {
      const device = await served(node.mqttPort, name, keys?.get(name));
      return { device, ms: performance.now() - start };
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  const blocked = await loopDelay(node);
  const cost = ((cpuSeconds(pid) - before) * 1000) / devices.length;
  for (const { device } of returned) device.end();
  return { served: seconds, p50: median(returned.map(({ ms }) => ms)), blocked, cost };
}

/** Connects one device and waits until it has its delta. */
async function served(port: number, name: string, key: string | undefined): Promise<Device> {
  const device = await Device.connect(port, name, undefined, key);
  const topic = `$aws/things/${name}/shadow/update`;
  let resolve: () => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const delta = new Promise<void>((...given) => ([resolve, reject] = given));
  // It is waited for later, and may fail before.
  delta.catch(() => undefined);
  const late = setTimeout(() => reject(new Error(`${name} has no delta`)), MOST_MS);
  device.onMessage = (tail) => tail === A && resolve();
  await device.subscribe(`${topic}/delta`, `${topic}/accepted`, `${topic}/rejected`);
  device.onEnd = (reason) => reject(new Error(`${name}: ${reason}`));
  await delta;
  clearTimeout(late);
  return device;
}

/** Milliseconds of the longest block since this was asked last. */
async function loopDelay({ process: node }: RunningNode): Promise<number> {
  const told = (): Record<string, unknown>[] => logLines(node.logs()).filter(({ msg }) => msg === 'loop delay');
  const { length } = told();
  node.signal('SIGUSR2');
  await until('the node has told the delay of its loop', () => told().length > length);
  return Number(told().at(-1)?.['longest']);
}
