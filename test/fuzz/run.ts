import { parseArgs } from 'node:util';
import { logLines, startNode, type ReadyNode } from '../harness/node-process.js';
import { until } from '../harness/until.js';
import { keep } from './corpus.js';
import type { FuzzOptions, FuzzResult } from './fuzz.js';
import { fuzzHttp } from './http.js';
import { fuzzMqtt } from './mqtt.js';
import { culprit } from './culprit.js';
import { Bystander, footprint, quantile, type Footprint } from './watch-node.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    packets: { type: 'string', default: '100000' },
    requests: { type: 'string' },
    seed: { type: 'string' },
    /** The end, whatever the count. */
    seconds: { type: 'string', default: '3600' },
    /** Packets per second at most. */
    rate: { type: 'string', default: '3200' },
    /** For CI: a minute in all. */
    smoke: { type: 'boolean', default: false },
  },
});
const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed);
const kind = positionals[0] ?? 'all';
const count = values.smoke ? Number.POSITIVE_INFINITY : Number(values.requests ?? values.packets);

/** Seconds in which the bystander is alone with the node. */
const ALONE_SECONDS = values.smoke ? 4 : 10;
/** Seconds of each kind of attack. */
const SECONDS = values.smoke ? 18 : Number(values.seconds);
/** How much slower the bystander may become; CI shares its machine, so the smoke only says. */
const P99_RATIO = 3;
/** Megabytes that a node may hold more at the end: what the engine keeps of a heap that was larger. */
const MEGABYTES = 96;
const DESCRIPTORS = 8;

/**
 * Sessions are kept for an hour by default, with what waits in them; here their memory has to come back. A small heap
 * tells what is kept from garbage that nothing collects in an idle process.
 */
const NODE_ENVIRONMENT = { UMBRA_MQTT_SESSION_SECONDS: '5', NODE_OPTIONS: '--max-old-space-size=128' };

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const pause = (seconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

/** Attacks by name. Each gets a node that has been warmed up, and a bystander beside it. */
const FUZZERS: Readonly<Record<string, (options: FuzzOptions) => Promise<FuzzResult>>> = {
  mqtt: (options) => fuzzMqtt(options),
  http: (options) => fuzzHttp(options),
};

async function main(): Promise<boolean> {
  const names = kind === 'all' ? Object.keys(FUZZERS) : [kind];
  say(`seed ${seed}`);
  const failures: string[] = [];
  for (const name of names) {
    const fuzz = FUZZERS[name];
    if (!fuzz) throw new Error(`mqtt, http or all, not ${name}`);
    failures.push(...(await attack(name, fuzz)));
  }
  for (const failure of failures) say(`FAILED: ${failure}`);
  say(failures.length === 0 ? `clean, seed ${seed}` : `${failures.length} failures, seed ${seed}`);
  return failures.length === 0;
}

async function attack(name: string, fuzz: (options: FuzzOptions) => Promise<FuzzResult>): Promise<string[]> {
  const node = await startNode({ env: NODE_ENVIRONMENT });
  const bystander = await Bystander.start(node.mqttUrl);
  try {
    const rate = Number(values.rate);
    const options = { httpUrl: node.httpUrl, mqttUrl: node.mqttUrl, seed, rate, isOver: () => !node.running };
    // Memory that every node takes with its first thousands of packets is no leak.
    await fuzz({ ...options, seed: seed + 1, count: 3000, deadline: performance.now() + 5_000 });
    await bystander.measured();
    await pause(ALONE_SECONDS);
    const alone = await bystander.measured();
    const before = footprint(node.pid);
    const start = performance.now();
    const result = await fuzz({ ...options, count, deadline: start + SECONDS * 1000 });
    const seconds = (performance.now() - start) / 1000;
    const during = await bystander.measured();
    say(
      `${name}: ${result.sent} sent over ${result.connections} connections, ${result.broken} of them broken, ${Math.round(result.sent / seconds)} per second`,
    );
    return await judge(name, { node, before, result, alone: alone.latencies, during });
  } finally {
    bystander.stop();
    await node.stop();
  }
}

interface Trial {
  readonly node: ReadyNode;
  readonly before: Footprint;
  readonly result: FuzzResult;
  readonly alone: readonly number[];
  readonly during: { readonly latencies: readonly number[]; readonly failure: string | null };
}

async function judge(name: string, { node, before, result, alone, during }: Trial): Promise<string[]> {
  const failures = result.finds.map((find) => `${find.why}, kept in ${keep(find)}`);
  if (!node.running) {
    say(node.logs().slice(-3_000));
    const found = name === 'mqtt' ? await culprit(seed, result.connections) : null;
    return [...failures, found ? `the node ended, ${keep(found)} does it` : 'the node ended'];
  }
  const ratio = quantile(during.latencies, 0.99) / quantile(alone, 0.99);
  const shown = (values: readonly number[]): string =>
    `p50 ${quantile(values, 0.5).toFixed(1)}, p99 ${quantile(values, 0.99).toFixed(1)} ms (${values.length})`;
  say(`${name}: bystander alone ${shown(alone)}; beside it ${shown(during.latencies)}; p99 ratio ${ratio.toFixed(2)}`);
  if (during.failure !== null) failures.push(`the bystander: ${during.failure}`);
  if (!(ratio <= P99_RATIO) && !values.smoke)
    failures.push(`the bystander's p99 is ${ratio.toFixed(2)} times that alone`);
  failures.push(...(await leftBehind(name, node, before)), ...errorsIn(node));
  return failures;
}

/** Whether memory and descriptors come back; connections that were cut off end by their deadlines first. */
async function leftBehind(name: string, node: ReadyNode, before: Footprint): Promise<string[]> {
  const isBack = (now: Footprint): boolean =>
    now.descriptors <= before.descriptors + DESCRIPTORS && now.megabytes <= before.megabytes + MEGABYTES;
  const back = await until('memory and descriptors', () => isBack(footprint(node.pid)), 45_000).catch(() => false);
  const after = footprint(node.pid);
  const shown = ({ megabytes, descriptors }: Footprint): string =>
    `${megabytes.toFixed(0)} MB, ${descriptors} descriptors`;
  say(
    `${name}: before ${shown(before)}; after ${shown(after)}; log ${(node.logs().length / 1024).toFixed(0)} KB at most 4 MB kept`,
  );
  return back ? [] : [`the node holds ${shown(after)}, before ${shown(before)}`];
}

/** What a client does is never an error of the node (level 50), still less a fatal one (60). */
function errorsIn(node: ReadyNode): string[] {
  const errors = logLines(node.logs()).filter(({ level }) => Number(level) >= 50);
  const texts = new Set(errors.map(({ msg, err }) => `${String(msg)}: ${JSON.stringify(err ?? null).slice(0, 600)}`));
  return [...texts].slice(0, 10).map((text) => `an error in the log: ${text}`);
}

main().then(
  (passed) => process.exit(passed ? 0 : 1),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(2);
  },
);
