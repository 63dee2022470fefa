import type { Lab, RunningNode, Side } from '../lab.js';
import { Calls } from '../load/calls.js';
import { bareDevice, libraryDevice, type ClientDevice } from '../load/client-devices.js';
import { HttpConnection } from '../load/http-connection.js';
import { atLeast, note, p50, perSecond, ratio, type Result } from '../result.js';

const DEVICES = 50;
/** Few, so that what is told is how long a delta takes, and not how long it waits for others. */
const OBEYING = 5;

type Make = (port: number, thing: string) => Promise<ClientDevice>;

/** Devices of the client library over those that do the same by mqtt.js and by hand; both in the process of the load. */
export async function clientLibrary(lab: Lab): Promise<Result> {
  const etcd = [await lab.etcd()];
  const node = await lab.node('umbra', { etcd });
  const reports = await lab.alternate({
    library: await reporting(lab, node, 'library', libraryDevice),
    bare: await reporting(lab, node, 'bare', bareDevice),
  });
  const deltas = await lab.alternate({
    library: await obeying(lab, node, 'library', libraryDevice),
    bare: await obeying(lab, node, 'bare', bareDevice),
  });
  return {
    rows: [
      ratio(
        'reports/s of the client library over bare mqtt.js',
        reports.library,
        reports.bare,
        perSecond,
        atLeast(0.9),
      ),
      ratio('p50 until a handler has the delta, bare over library', deltas.bare, deltas.library, p50, atLeast(0.9)),
      ratio('processor of the devices per report, library over bare', reports.library, reports.bare, costOfLoad),
    ],
    notes: [
      ...Object.entries(reports).map(([name, samples]) => note(`reports, ${name}`, samples)),
      ...Object.entries(deltas).map(([name, samples]) => note(`deltas, ${name}`, samples)),
    ],
  };
}

const costOfLoad = ({ cost }: { cost: Readonly<Record<string, number>> }): number => cost['load'] ?? Number.NaN;

/** Each device sends its next report when the one before is stored. */
async function reporting(lab: Lab, { mqttPort, process }: RunningNode, name: string, make: Make): Promise<Side> {
  const devices = await made(make, mqttPort, DEVICES, `${name}-report`);
  const load = new Calls(
    devices.length,
    (caller, n) => devices[caller]!.report({ count: n, temperature: 20.5, door: 'closed', online: true, signal: -67 }),
    () => devices.forEach((device) => device.end()),
  );
  lab.onEnd(() => load.end());
  return lab.loaded(load, { node: process.pid });
}

/** An operator sets desired through REST; it counts when the handler of the device is called. */
async function obeying(lab: Lab, node: RunningNode, name: string, make: Make): Promise<Side> {
  const { mqttPort, httpPort, process } = node;
  const devices = await made(make, mqttPort, OBEYING, `${name}-obey`);
  const operators = await Promise.all(devices.map(() => HttpConnection.open(httpPort)));
  const deltas: ((delta: null) => void)[] = [];
  for (const [i, device] of devices.entries()) await device.onDelta(() => deltas[i]?.(null));
  const load = new Calls(
    devices.length,
    (caller, n) => {
      const delta = new Promise<null>((resolve) => (deltas[caller] = resolve));
      const body = `{"state":{"desired":{"target":${n}}}}`;
      return Promise.all([operators[caller]!.send('POST', `/things/${name}-obey-${caller}/shadow`, body), delta]);
    },
    () => [...devices, ...operators].forEach((each) => each.end()),
  );
  lab.onEnd(() => load.end());
  return lab.loaded(load, { node: process.pid });
}

const made = (make: Make, port: number, count: number, prefix: string): Promise<ClientDevice[]> =>
  Promise.all(Array.from({ length: count }, (_, i) => make(port, `${prefix}-${i}`)));
