import type { Lab } from '../lab.js';
import type { Result } from '../result.js';
import { against } from './against.js';
import { connections } from './connections.js';
import { desired } from './desired.js';
import { fanOut } from './fan-out.js';
import { gets } from './gets.js';
import { getsAgainst, getsProfile } from './gets-profile.js';
import { idle } from './idle.js';
import { nodes } from './nodes.js';
import { profile } from './profile.js';
import { storeAlone } from './store.js';
import { stored } from './stored.js';
import { updates } from './updates.js';
import { watchLag } from './watch-lag.js';

export interface Bench {
  readonly title: string;
  run(lab: Lab): Promise<Result>;
}

/** Every bench by its name on the command line. */
export const BENCHES: Readonly<Record<string, Bench>> = {
  'updates-200': {
    title: 'updates over MQTT, 200 devices, one etcd',
    run: (lab) => updates(lab, { devices: lab.size(200, 200, 10), members: 1, overNaive: 5.5 }),
  },
  'updates-1600': {
    title: 'updates over MQTT, 1,600 devices, one etcd',
    run: (lab) => updates(lab, { devices: lab.size(1600, 1600, 20), members: 1, overNaive: 10 }),
  },
  'updates-members': {
    title: 'updates over MQTT, 400 devices, three etcd members',
    run: (lab) => updates(lab, { devices: lab.size(400, 400, 10), members: 3, overNaive: 9 }),
  },
  'updates-members-1600': {
    title: 'updates over MQTT, 1,600 devices, three etcd members',
    run: (lab) => updates(lab, { devices: lab.size(1600, 1600, 10), members: 3, overNaive: 9 }),
  },
  'mosquitto-200': {
    title: 'updates over mosquitto, 200 devices, one etcd',
    run: (lab) => updates(lab, { devices: lab.size(200, 200, 10), members: 1, overNaive: 5.5, broker: 'mosquitto' }),
  },
  'mosquitto-1600': {
    title: 'updates over mosquitto, 1,600 devices, one etcd',
    run: (lab) => updates(lab, { devices: lab.size(1600, 1600, 20), members: 1, overNaive: 10, broker: 'mosquitto' }),
  },
  'mosquitto-members': {
    title: 'updates over mosquitto, 400 devices, three etcd members',
    run: (lab) => updates(lab, { devices: lab.size(400, 400, 10), members: 3, overNaive: 9, broker: 'mosquitto' }),
  },
  store: { title: 'the store alone, 256 callers', run: storeAlone },
  idle: { title: 'latency at 500 updates/s', run: idle },
  gets: { title: 'linearizable reads, 50 connections', run: gets },
  desired: { title: 'desired through REST, delta to the device, 50 of each', run: desired },
  'fan-out': { title: 'one shadow, 1 to 10,000 subscribers', run: fanOut },
  'watch-lag': { title: 'the feed of another node at 10,000 updates/s', run: watchLag },
  nodes: { title: '800 devices over 1, 2 and 4 nodes', run: nodes },
  stored: { title: '10 k, 100 k and 1 M stored shadows', run: stored },
  connections: { title: '20 k idle connections', run: connections },
  against: { title: 'this tree over another revision (--against), 400 devices', run: against },
  'gets-against': { title: 'GETs, this tree over another revision (--against)', run: getsAgainst },
  'gets-profile': { title: 'where the time of the node goes with GETs, 50 connections', run: getsProfile },
  profile: { title: 'where the time of the node goes, 1,600 devices', run: profile },
};
