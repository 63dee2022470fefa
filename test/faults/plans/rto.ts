import { setTimeout as pause } from 'node:timers/promises';
import { DeviceConnection } from '../actors/device.js';
import { faultOf, type FaultName } from '../faults/faults.js';
import { History } from '../model/history.js';
import { topicOf } from '../actors/mqtt-actors.js';
import { Random } from './random.js';
import { percentile, say, type JsonLines } from '../report.js';
import { hasNamespaces } from '../run-scenario.js';
import { DEFAULT_TOPOLOGY } from './scenarios.js';
import { Topology } from '../topology.js';

const FAULTS: readonly FaultName[] = ['kill-leader', 'stop-leader', 'partition-leader'];
interface Row {
  readonly timers: 'default' | 'fast';
  /** UMBRA_ETCD_CALL_TIMEOUT_MS. */
  readonly callMs: number;
}

const ROWS: readonly Row[] = [
  { timers: 'default', callMs: 1_000 },
  { timers: 'fast', callMs: 1_000 },
  { timers: 'default', callMs: 300 },
  { timers: 'fast', callMs: 300 },
];
/** Milliseconds that the leader stays away: longer than any election. */
const HOLD_MS = 5_000;
const STEADY_MS = 1_000;
/** Milliseconds after healing in which the cluster is whole again. */
const REST_MS = 2_000;

/** A device that sends one QoS 1 update after the other, and the times at which each was acknowledged. */
class SteadyDevice {
  readonly acks: number[] = [];
  #running = true;
  readonly #done: Promise<void>;

  constructor(private readonly port: number) {
    this.#done = this.#run();
  }

  async stop(): Promise<void> {
    this.#running = false;
    await this.#done;
  }

  async #run(): Promise<void> {
    for (let n = 0; this.#running;) {
      const rejected = new Set<string>();
      const onMessage = (_topic: string, payload: Buffer): void =>
        void rejected.add((JSON.parse(payload.toString()) as { clientToken: string }).clientToken);
      const device = await DeviceConnection.open({ clientId: 'rto', port: this.port, onMessage }).catch(() => null);
      if (!device) continue;
      await device.subscribe([topicOf('rto', 'update/rejected')]);
      while (this.#running && device.open) {
        const clientToken = `t${++n}`;
        const update = JSON.stringify({ state: { reported: { n } }, clientToken });
        const acked = await device.publish(topicOf('rto', 'update'), update);
        if (acked && !rejected.has(clientToken)) this.acks.push(performance.now());
        await pause(5);
      }
      device.close();
    }
  }
}

/** Longest time without an acknowledgement around the loss of the leader, as a device sees it. */
export async function measureRto(trials: number, json: JsonLines): Promise<boolean> {
  for (const { timers, callMs } of ROWS) {
    for (const fault of FAULTS) {
      if (fault === 'partition-leader' && !hasNamespaces()) {
        say(`skip  ${fault}: needs network namespaces`);
        continue;
      }
      const gaps = await trialsOf(fault, timers, callMs, trials);
      const [p50, p95] = [percentile(gaps, 0.5), percentile(gaps, 0.95)];
      const row = {
        fault,
        timers,
        trials: gaps.length,
        p50,
        p95,
        min: Math.min(...gaps),
        max: Math.max(...gaps),
        gaps,
      };
      json.write({ rto: row });
      say(
        `rto   ${fault}, ${timers} timers, calls of ${callMs} ms: p50 ${p50} ms, p95 ${p95} ms, ${row.min}-${row.max} ms, n=${row.trials}`,
      );
    }
  }
  return true;
}

async function trialsOf(fault: FaultName, timers: Row['timers'], callMs: number, trials: number): Promise<number[]> {
  const history = new History();
  const spec = {
    ...DEFAULT_TOPOLOGY,
    members: 3,
    nodes: 1,
    proxied: false,
    timers,
    env: { UMBRA_ETCD_CALL_TIMEOUT_MS: String(callMs) },
  } as const;
  const topology = await Topology.start(spec, history);
  const device = new SteadyDevice(topology.node(0).mqttPort);
  const gaps: number[] = [];
  try {
    for (let trial = 0; trial < trials; trial++) {
      await pause(STEADY_MS);
      const from = performance.now() - 200;
      const context = { traffic: null, topology, history, random: new Random(trial), prefix: 'rto' };
      const heal = await faultOf(fault).apply(context);
      await pause(HOLD_MS);
      gaps.push(Math.round(longestGap(device.acks.filter((at) => at >= from))));
      await heal();
      await pause(REST_MS);
    }
    return gaps;
  } finally {
    await device.stop();
    await topology.stop();
  }
}

/** Milliseconds; the whole hold when nothing more was acknowledged. */
function longestGap(times: readonly number[]): number {
  return times.length < 2 ? HOLD_MS : Math.max(...times.slice(1).map((at, i) => at - (times[i] as number)));
}
