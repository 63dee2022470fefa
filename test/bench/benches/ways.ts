import { readFileSync } from 'node:fs';
import { createAuthority } from '../../harness/certificates.js';
import { NOT_FROZEN } from '../frozen.js';
import type { Lab, Measured, NodePlace } from '../lab.js';
import { note, perSecond, ratio, row, type Result, type Row } from '../result.js';
import { atDoor, atRelay, nodeCost, opened, type DeviceWays, type Opening } from './doors.js';
import { pidsOf } from './updates.js';

type Name = 'umbra' | 'plain' | 'before' | 'relay';

/** What a way costs: devices that go it beside those that do not, the frozen revision and a bare relay that go it too. */
async function way(lab: Lab, ways: DeviceWays, place: NodePlace, relay: Opening | null): Promise<Result> {
  const etcd = [await lab.etcd()];
  const devices = lab.size(400, 400, 10);
  const pids = pidsOf(etcd);
  const main = lab.frozen;
  const door = (name: Name, at: NodePlace, its: DeviceWays): Record<string, Opening> => ({
    [name]: () => atDoor(lab, { peer: 'umbra', name, devices, place: { ...at, etcd }, pids, ways: its }),
  });
  const sides = await opened({
    ...door('umbra', place, ways),
    ...door('plain', {}, {}),
    ...(main === null ? {} : door('before', { ...place, main }, ways)),
    ...(relay === null ? {} : { relay }),
  });
  const found: Partial<Record<Name, Measured[]>> = await lab.alternate(sides);
  return {
    rows: rows(found),
    notes: [
      ...Object.entries(found).map(([name, samples]) => note(name, samples)),
      ...(main === null ? [NOT_FROZEN] : []),
    ],
  };
}

function rows({ umbra = [], plain = [], before, relay }: Partial<Record<Name, Measured[]>>): Row[] {
  return [
    row('processor of the node per update', umbra.map(nodeCost), undefined, ' µs'),
    ratio('processor, over updates without it', umbra, plain, nodeCost),
    ...(before
      ? [
          ratio('processor, over the frozen revision with it', umbra, before, nodeCost),
          ratio('updates/s over the frozen revision with it', umbra, before, perSecond),
        ]
      : []),
    ...(relay ? [ratio('updates/s over a mosquitto that relays the same bytes with it', umbra, relay, perSecond)] : []),
  ];
}

/** Devices over TLS. */
export async function overTls(lab: Lab): Promise<Result> {
  const authority = await createAuthority();
  lab.onEnd(() => authority.remove());
  const { cert, key } = authority.server;
  const ways = { tls: { ca: readFileSync(authority.ca) } };
  const env = { UMBRA_MQTTS_PORT: '0', UMBRA_TLS_CERT: cert, UMBRA_TLS_KEY: key };
  const relay: Opening = () => atRelay(lab, lab.size(400, 400, 10), ways, { certfile: cert, keyfile: key });
  return way(lab, ways, { env }, relay);
}

/** Devices that subscribe with QoS 1 and acknowledge every message. */
export function qos1Subscribers(lab: Lab): Promise<Result> {
  const ways = { qos: 1 } as const;
  return way(lab, ways, {}, () => atRelay(lab, lab.size(400, 400, 10), ways));
}

/** Devices that read their `documents` too; no relay has a second message of that size. */
export function documentsSubscribers(lab: Lab): Promise<Result> {
  return way(lab, { documents: true }, {}, null);
}
