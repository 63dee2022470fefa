import { parseArgs } from 'node:util';
import { runClients, USUAL_CLIENTS } from './plans/clients.js';
import { CLIENTS, EXACTNESS, READERS, ROLLOUT, TRANSACTIONS } from './plans/plan-names.js';
import { runRollout, USUAL_ROLLOUT } from './plans/rollout.js';
import { runExactness, USUAL_EXACTNESS } from './plans/exactness.js';
import { runReaders, USUAL_READERS } from './plans/readers.js';
import { runTransactions, USUAL_TRANSACTIONS } from './plans/transactions.js';
import { runMutations } from './plans/run-mutations.js';
import { randomScenario, randomTopology, MATRIX, type Scenario } from './plans/scenarios.js';
import { hasNamespaces, runOn, runScenario, verdict, type Result } from './run-scenario.js';
import { History } from './model/history.js';
import { Random } from './plans/random.js';
import { REGRESSIONS } from './regressions/index.js';
import { JsonLines, say, summarize, tell } from './report.js';
import { runSpecial, SPECIAL } from './plans/special.js';
import { measureRto } from './plans/rto.js';
import { runSinks } from './plans/sinks.js';
import { SMOKE } from './plans/smoke.js';
import { LAB_RUNS } from './validate/promises.js';
import { Topology, type TopologySpec } from './topology.js';

/** A topology is used for this many random rounds, so that nodes and members also grow old. */
const ROUNDS_PER_TOPOLOGY = 6;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string' },
    seed: { type: 'string' },
    members: { type: 'string' },
    nodes: { type: 'string' },
    broker: { type: 'string' },
    scenario: { type: 'string' },
    plan: { type: 'string' },
    readers: { type: 'string' },
    rate: { type: 'string' },
    shadows: { type: 'string' },
    takeover: { type: 'string' },
    devices: { type: 'string' },
    spread: { type: 'string' },
    mixed: { type: 'string' },
    before: { type: 'string' },
    issue: { type: 'string' },
    mutation: { type: 'string' },
    mutations: { type: 'boolean', default: false },
    rto: { type: 'boolean', default: false },
    trials: { type: 'string', default: '10' },
    smoke: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});

const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed);
const json = new JsonLines(values.json ?? null);

async function main(): Promise<boolean> {
  if (!['built-in', 'mosquitto', undefined].includes(values.broker))
    throw new Error('--broker is built-in or mosquitto');
  say(`seed ${seed}; network namespaces: ${hasNamespaces() ? 'yes' : 'no, partitions are skipped'}`);
  if (values.rto) return measureRto(Number(values.trials), json);
  if (values.mutations || values.mutation !== undefined) return runMutations(values.mutation ?? null, seed, json);
  const results = await run();
  const summary = summarize(results);
  json.write({ summary });
  say(`${JSON.stringify(summary)}`);
  for (const { scenario, seed } of results.filter(({ violations }) => violations.length > 0))
    say(`failed: ${scenario}, seed ${seed}`);
  return summary.failed === 0;
}

function run(): Promise<Result[]> {
  if (values.plan !== undefined) return runPlan(values.plan);
  return values.minutes === undefined ? runChosen(chosen()) : runRandom(Number(values.minutes));
}

/** One plan for as long as is wanted. */
async function runPlan(plan: string): Promise<Result[]> {
  const { minutes, readers, rate, shadows, takeover, devices, spread, mixed, before } = values;
  const numbers = { minutes, readers, rate, shadows, takeover, devices, spread, mixed };
  const given = Object.entries(numbers).flatMap(([name, text]) => (text === undefined ? [] : [[name, Number(text)]]));
  const bad = given.find(([, value]) => !(Number(value) > 0));
  if (bad) throw new Error(`--${bad[0]} is a number above 0`);
  const more = { ...Object.fromEntries(given), ...(values.members === '1' && { members: 1 as const }) };
  if (plan === 'exactness')
    return [await safely(seed, EXACTNESS, () => runExactness(seed, { ...USUAL_EXACTNESS, ...more }))];
  if (plan === 'transactions')
    return [await safely(seed, TRANSACTIONS, () => runTransactions(seed, { ...USUAL_TRANSACTIONS, ...more }))];
  if (plan === 'clients') return [await safely(seed, CLIENTS, () => runClients(seed, { ...USUAL_CLIENTS, ...more }))];
  if (plan === 'readers') return [await safely(seed, READERS, () => runReaders(seed, { ...USUAL_READERS, ...more }))];
  if (plan === 'sinks') {
    const name = `sinks, for ${minutes ?? 1} min`;
    return [await safely(seed, name, () => runSinks(name, { ...more, seed }))];
  }
  if (plan === 'rollout') {
    const options = { ...USUAL_ROLLOUT, ...more, ...(before !== undefined && { before }) };
    return [await safely(seed, ROLLOUT, () => runRollout(seed, options))];
  }
  throw new Error('--plan is clients, exactness, transactions, readers, rollout or sinks');
}

/** Names of what is to be run; the whole matrix unless told. */
function chosen(): readonly (Scenario | string)[] {
  const all = [...MATRIX, ...REGRESSIONS];
  if (values.smoke) return SMOKE.map((name) => all.find((scenario) => scenario.name === name) ?? name);
  if (values.issue !== undefined) return all.filter(({ issue }) => issue === Number(values.issue));
  const { scenario } = values;
  const fits = (name: string): boolean => scenario === undefined || name.includes(scenario);
  const members = values.members === undefined ? null : Number(values.members);
  const found = all.filter(({ name, topology }) => fits(name) && (members === null || topology.members === members));
  const names = [...found, ...(members === 3 ? [] : SPECIAL.filter(fits))];
  if (names.length === 0) throw new Error(`no scenario is called ${scenario ?? values.issue}`);
  return names;
}

async function runChosen(scenarios: readonly (Scenario | string)[]): Promise<Result[]> {
  const results: Result[] = [];
  const random = new Random(seed);
  for (const scenario of scenarios) {
    // With one scenario, the printed seed is its own.
    const own = scenarios.length === 1 ? seed : random.int(1, 1_000_000);
    results.push(
      await safely(own, scenario, () =>
        typeof scenario === 'string' ? runSpecial(scenario, own) : runScenario(scenario, { seed: own }),
      ),
    );
  }
  return results;
}

async function safely(own: number, scenario: Scenario | string, run: () => Promise<Result>): Promise<Result> {
  const name = typeof scenario === 'string' ? scenario : scenario.name;
  const result = await run().catch((error: unknown): Result => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return {
      scenario: name,
      seed: own,
      violations: [{ promise: LAB_RUNS, text }],
      skipped: null,
      figures: null,
      faults: [],
    };
  });
  tell(result);
  json.write(result);
  return result;
}

async function runRandom(minutes: number): Promise<Result[]> {
  const results: Result[] = [];
  const random = new Random(seed);
  const until = performance.now() + minutes * 60_000;
  while (performance.now() < until) {
    const members = values.members === '3' || (values.members === undefined && random.next() < 0.5) ? 3 : 1;
    const nodes = values.nodes === undefined ? undefined : Number(values.nodes);
    const spec = randomTopology(random, members, nodes, values.broker);
    const seeds = Array.from({ length: ROUNDS_PER_TOPOLOGY }, () => random.int(1, 1_000_000));
    await roundsOn(spec, seeds, until, results);
  }
  return results;
}

async function roundsOn(spec: TopologySpec, seeds: readonly number[], until: number, results: Result[]): Promise<void> {
  let topology: Topology | null = null;
  let history = new History();
  // Nodes hold on to the history that they were started with; rounds take over what it has noticed.
  const noticed = history;
  try {
    topology = await Topology.start(spec, noticed);
    for (const [round, own] of seeds.entries()) {
      if (performance.now() > until) return;
      const name = `random: ${spec.members} members, ${spec.nodes} nodes${spec.proxied ? ', proxies' : ''}${spec.broker === 'mosquitto' ? ', mosquitto' : ''}, round ${round}`;
      const scenario = randomScenario(name, spec, new Random(own), hasNamespaces());
      history = new History();
      const on = topology;
      const result = await safely(own, scenario, async () => {
        const expectations = await runOn(on, history, scenario, own);
        history.remarks.push(...noticed.remarks.splice(0));
        return verdict(scenario, own, history, expectations);
      });
      results.push(result);
      // What a violation has left behind must not colour the next rounds.
      if (result.violations.length > 0) return;
    }
  } catch (error) {
    results.push(await safely(seeds[0] ?? seed, 'the topology starts', () => Promise.reject(error as Error)));
  } finally {
    await topology?.stop();
  }
}

// Leaving by exit() takes processes, namespaces and mounts with it.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));

main().then(
  (passed) => process.exit(passed ? 0 : 1),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(2);
  },
);
