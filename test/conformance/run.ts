import { parseArgs } from 'node:util';
import { startMosquitto } from '../harness/mosquitto.js';
import { startNode } from '../harness/node-process.js';
import { show } from './conversation.js';
import { runConformance, showDifference, shrink, type Ports } from './suite.js';

const { values } = parseArgs({
  options: {
    conversations: { type: 'string', default: '2000' },
    seed: { type: 'string' },
    /** Plays this one alone, and says which of its steps are needed. */
    only: { type: 'string' },
    /** Differences that are told in full. */
    show: { type: 'string', default: '40' },
    /** Ports of a door and a mosquitto that run already: `1883,1884`. */
    ports: { type: 'string' },
  },
});
const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed);
const SHOWN = Number(values.show);

const say = (line: string): void => void process.stdout.write(`${line}\n`);

async function main(): Promise<boolean> {
  say(`seed ${seed}`);
  if (values.ports !== undefined) {
    const [ours = 0, theirs = 0] = values.ports.split(',').map(Number);
    return run({ ours, theirs });
  }
  const broker = await startMosquitto();
  const node = await startNode();
  try {
    const passed = await run({ ours: Number(new URL(node.mqttUrl).port), theirs: Number(new URL(broker.url).port) });
    if (!node.running) say(`the node ended:\n${node.logs().slice(-3_000)}`);
    return passed && node.running;
  } finally {
    await node.stop();
    await broker.stop();
  }
}

async function run(ports: Ports): Promise<boolean> {
  const { only } = values;
  const indexes =
    only === undefined ? Array.from({ length: Number(values.conversations) }, (_, i) => i) : [Number(only)];
  const options = { seed, indexes, ports, run: `r${Date.now().toString(36)}` };
  const start = performance.now();
  const outcome = await runConformance(options);
  for (const [name, times] of outcome.explained) say(`explained ${times} times: ${name}`);
  for (const difference of outcome.unexplained.slice(0, SHOWN)) say(showDifference(difference));
  if (only !== undefined && outcome.unexplained.length > 0) say(show(await shrink(options)));
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  say(
    `${outcome.conversations} conversations, ${outcome.steps} steps, ${seconds} s, seed ${seed}: ${outcome.unexplained.length} unexplained differences`,
  );
  return outcome.unexplained.length === 0;
}

main().then(
  (passed) => process.exit(passed ? 0 : 1),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(2);
  },
);
