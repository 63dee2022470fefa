import { access, accessHttp, accessTls } from './access.js';
import type { Lab } from '../lab.js';
import type { Result } from '../result.js';
import { against } from './against.js';
import { bystander } from './bystander.js';
import { clientCache } from './client-cache.js';
import { clientLibrary } from './client-library.js';
import { desired } from './desired.js';
import { externalBroker } from './external-broker.js';
import { fanOut } from './fan-out.js';
import { foreign } from './foreign.js';
import { gets } from './gets.js';
import { accessHttpProfile, accessProfile } from './access-profiles.js';
import { getsAgainst, getsProfile } from './gets-profile.js';
import { idle } from './idle.js';
import { leader } from './leader.js';
import { memory } from './memory.js';
import { metrics } from './metrics.js';
import { nodes } from './nodes.js';
import { policies } from './policies.js';
import { profile } from './profile.js';
import { reconnect } from './reconnect.js';
import { storeAlone } from './store.js';
import { stored } from './stored.js';
import { streams } from './streams.js';
import { tenants } from './tenants.js';
import { traced } from './traced.js';
import { updates } from './updates.js';
import { withdrawal } from './withdrawal.js';
import { watchLag } from './watch-lag.js';
import { documentsSubscribers, overTls, qos1Subscribers } from './ways.js';

export interface Bench {
  readonly title: string;
  /** Whether it is a part of the table of docs/performance.md. */
  readonly table?: boolean;
  run(lab: Lab): Promise<Result>;
}

/** Every bench by its name on the command line. */
export const BENCHES: Readonly<Record<string, Bench>> = {
  'updates-1600': {
    title: 'updates over MQTT, 1,600 devices, one etcd',
    table: true,
    run: (lab) => updates(lab, { devices: lab.size(1600, 1600, 20), members: 1, goals: 'peers' }),
  },
  'updates-200': {
    title: 'updates over MQTT, 200 devices, one etcd',
    table: true,
    run: (lab) => updates(lab, { devices: lab.size(200, 200, 10), members: 1, goals: 'processor' }),
  },
  'updates-members': {
    title: 'updates over MQTT, 400 devices, three etcd members',
    table: true,
    run: (lab) => updates(lab, { devices: lab.size(400, 400, 10), members: 3, goals: 'none' }),
  },
  'updates-members-1600': {
    title: 'updates over MQTT, 1,600 devices, three etcd members',
    run: (lab) => updates(lab, { devices: lab.size(1600, 1600, 10), members: 3, goals: 'none' }),
  },
  leader: { title: 'updates over MQTT, three etcd members 5 ms apart: who calls the leader', run: leader },
  tls: { title: 'updates over MQTT with TLS, 400 devices', table: true, run: overTls },
  qos1: { title: 'updates over MQTT, subscribers of QoS 1, 400 devices', table: true, run: qos1Subscribers },
  documents: {
    title: 'updates over MQTT, subscribers of documents, 400 devices',
    table: true,
    run: documentsSubscribers,
  },
  foreign: { title: 'events of shadows that nobody at the node listens to', table: true, run: foreign },
  access: { title: 'keys and access tokens over MQTT, 400 devices', table: true, run: access },
  'access-tls': { title: 'certificates of devices, mutual TLS, 400 devices', run: accessTls },
  'access-http': { title: 'keys, access tokens and AWS signatures over HTTP, 50 connections', run: accessHttp },
  withdrawal: { title: 'rights withdrawn on three nodes, with traffic', run: withdrawal },
  reconnect: { title: '2,000 devices with keys come back to one node at once', run: reconnect },
  tenants: { title: '2,000 requests/s of 50 tenants, rules in memory and read from etcd', run: tenants },
  nodes: { title: '800 devices over 1, 2 and 4 nodes', table: true, run: nodes },
  gets: { title: 'linearizable reads, 50 connections', table: true, run: gets },
  memory: { title: '20 k idle connections, 90 k touched shadows', table: true, run: memory },
  bystander: { title: 'latency beside a client that means harm, 500 updates/s', table: true, run: bystander },
  store: { title: 'the store alone, 256 callers', table: true, run: storeAlone },
  idle: { title: 'latency at 500 updates/s', table: true, run: idle },
  device: {
    title: 'devices of the client library over bare mqtt.js, 50 of each',
    run: clientLibrary,
  },
  desired: { title: 'desired through REST, delta to the device, 50 of each', run: desired },
  'fan-out': { title: 'one shadow, 1 to 10,000 subscribers', run: fanOut },
  streams: { title: 'one shadow, 1,000 and 10,000 readers of its stream', run: streams },
  policies: { title: 'decisions of policies, 10,000 principals, 1,000 statements', run: policies },
  metrics: { title: 'recorders of metrics alone', run: metrics },
  traced: { title: 'updates over MQTT, 400 devices: 1 % of traces', run: traced },
  'watch-lag': { title: 'the feed of another node at 10,000 updates/s', run: watchLag },
  'client-cache': { title: 'a cache of the client library of 10 k and 100 k shadows', run: clientCache },
  stored: { title: '10 k, 100 k and 1 M stored shadows', run: stored },
  'mosquitto-200': {
    title: 'updates over mosquitto, 200 devices, one etcd',
    run: (lab) => externalBroker(lab, { devices: lab.size(200, 200, 10), members: 1, overNaive: 5.5 }),
  },
  'mosquitto-1600': {
    title: 'updates over mosquitto, 1,600 devices, one etcd',
    run: (lab) => externalBroker(lab, { devices: lab.size(1600, 1600, 20), members: 1, overNaive: 10 }),
  },
  'mosquitto-members': {
    title: 'updates over mosquitto, 400 devices, three etcd members',
    run: (lab) => externalBroker(lab, { devices: lab.size(400, 400, 10), members: 3, overNaive: 9 }),
  },
  against: { title: 'this tree over another revision (--against), 400 devices', run: against },
  'gets-against': { title: 'GETs, this tree over another revision (--against)', run: getsAgainst },
  'gets-profile': { title: 'where the time of the node goes with GETs, 50 connections', run: getsProfile },
  'access-profile': { title: 'where the time of updates goes, by kind of credential', run: accessProfile },
  'access-http-profile': { title: 'where the time of GETs goes, by kind of credential', run: accessHttpProfile },
  profile: { title: 'where the time of the node goes, 1,600 devices', run: profile },
};
