import { connectAsync } from 'mqtt';
import { compare, type Difference } from './compare.js';
import { without, type Conversation } from './conversation.js';
import { explain } from './explained.js';
import { generate } from './generate.js';
import { Play, settle } from './play.js';

/** Conversations that are played at once: most of their time is waiting. */
const AT_ONCE = 24;

export interface Ports {
  readonly ours: number;
  readonly theirs: number;
}

export interface Outcome {
  readonly conversations: number;
  readonly steps: number;
  /** Times that each row of the table was needed. */
  readonly explained: ReadonlyMap<string, number>;
  readonly unexplained: readonly Difference[];
}

export interface SuiteOptions {
  readonly seed: number;
  readonly indexes: readonly number[];
  readonly ports: Ports;
  /** A name that no earlier run against these servers had. */
  readonly run: string;
}

export async function play(conversation: Conversation, { ours, theirs }: Ports): Promise<Difference[]> {
  const plays = [new Play(conversation, ours), new Play(conversation, theirs)] as const;
  const [mine, other] = plays;
  try {
    const [ourError, theirError] = await Promise.all(plays.map((one) => one.run().then(() => null, String)));
    if (ourError || theirError) {
      const step = conversation.steps[0] ?? null;
      return [{ conversation, step, on: 0, isOwn: true, ours: [ourError ?? 'ok'], theirs: [theirError ?? 'ok'] }];
    }
    await settle(() => compare(conversation, mine.seen(), other.seen()).every(({ step }) => step !== null));
    return compare(conversation, mine.seen(), other.seen());
  } finally {
    for (const one of plays) one.end();
  }
}

/** Plays conversations to both servers. A server that is gone is a difference. */
export async function runConformance({ seed, indexes, ports, run }: SuiteOptions): Promise<Outcome> {
  const explained = new Map<string, number>();
  const unexplained: Difference[] = [];
  let steps = 0;
  const queue = [...indexes].reverse();
  const work = async (): Promise<void> => {
    for (let index = queue.pop(); index !== undefined; index = queue.pop()) {
      const conversation = generate(seed, index, run);
      steps += conversation.steps.length;
      for (const difference of await play(conversation, ports)) {
        const row = explain(difference);
        if (row) explained.set(row.name, (explained.get(row.name) ?? 0) + 1);
        else unexplained.push(difference);
      }
    }
  };
  const release = await knowRoot(ports);
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  } finally {
    await release();
  }
  return { conversations: indexes.length, steps, explained, unexplained };
}

/**
 * Until somebody has subscribed below `$aws`, mosquitto 2.0.11 answers 0 to every UNSUBSCRIBE there, and afterwards 17, No
 * subscription existed. The first conversations of a broker would differ from the later ones.
 */
async function knowRoot({ theirs }: Ports): Promise<() => Promise<void>> {
  const client = await connectAsync(`mqtt://127.0.0.1:${theirs}`);
  await client.subscribeAsync('$aws/things/nobody/shadow/update');
  return () => client.endAsync();
}

/** Leaves steps out while an unexplained difference remains. Each trial has names, and so sessions, of its own. */
export async function shrink({ seed, indexes, ports, run }: SuiteOptions): Promise<Conversation> {
  const index = indexes[0] ?? 0;
  const dropped: number[] = [];
  const isSame = (one: Difference, other: Difference): boolean =>
    one.on === other.on && (one.step === null) === (other.step === null) && explain(one) === null;
  const [wanted] = (await play(generate(seed, index, `${run}s`), ports)).filter((one) => explain(one) === null);
  if (!wanted) throw new Error('it does not differ again');
  const trial = (left: readonly number[]): Conversation =>
    left.reduce(without, generate(seed, index, `${run}s${left.length}${left.at(-1) ?? ''}`));
  for (let at = trial([]).steps.length - 1; at >= 0; at--) {
    if (at >= trial(dropped).steps.length) continue;
    const differences = await play(trial([...dropped, at]), ports);
    if (differences.some((one) => isSame(one, wanted))) dropped.push(at);
  }
  return trial(dropped);
}

export function showDifference({ conversation, step, on, ours, theirs }: Difference): string {
  const at = step ? `${conversation.steps.indexOf(step)}. ${step.label}` : 'messages';
  const lines = [`conversation ${conversation.index}, ${at}, on connection ${on}`];
  lines.push(`  ours:      ${ours.join(', ') || 'nothing'}`, `  mosquitto: ${theirs.join(', ') || 'nothing'}`);
  return lines.join('\n');
}
