import type { Umbra } from '../../sdk/index.js';
import { CliError, EXIT, usage } from '../exit-code.js';
import type { Run, Session } from '../session.js';
import { areAllAt, firstLook, lookAt, missingIn, type Look, type Source } from './node-versions.js';
import { ask } from './prometheus.js';
import { p99 } from './queries.js';
import { readKeptForm } from './release-file.js';
import { wayOf, type WayOptions } from './rollback-way.js';

/** Milliseconds between two looks at the nodes. */
const LOOK_MS = 1_000;
/** Milliseconds for the look at what is there before. */
const FIRST_LOOK_MS = 5_000;
/** Seconds between two looks at the times, and of requests that each is about. */
const WATCH_LOOK = 15;
const WATCH_WINDOW = '60s';
/** The times must be good within so many times the watch, or it is given up. */
const PATIENCE = 2;
/** Nodes that must live where the service did not say how many do. */
const NODES = 2;
/** Seconds. */
const WATCH = 300;

interface Options extends Omit<WayOptions, 'to'>, Source {
  readonly to?: string;
  readonly form?: string;
  readonly nodes?: number;
  /** Seconds. */
  readonly within: number;
  /** Seconds; false: nothing is watched. */
  readonly watch?: number | false;
  /** Milliseconds. */
  readonly p99: number;
  readonly dryRun?: boolean;
}

/** `ops rollback`. @throws CliError if the version is not back in time, or is slow; UmbraError */
export const rollback: Run = async (session, _, given) => {
  const options = given as unknown as Options;
  const to = await versionOf(options);
  const watch = options.watch ?? WATCH;
  const way = wayOf(session, { ...options, to });
  if (watch !== false && options.prometheus === undefined)
    throw usage('give --prometheus URL, which has the times of requests, or --no-watch');
  const umbra = await session.umbra({ retry: { attempts: 1 } });
  const before = await firstLook(session, umbra, options, FIRST_LOOK_MS);
  const least = options.nodes ?? (typeof before === 'string' ? NODES : Math.max(1, before.length));
  await tell(session, { step: 'found', nodes: before }, foundText(before));
  const plan = `${way.shown}; ${least} nodes have to run version ${to} within ${options.within} s`;
  if (options.dryRun) return tell(session, { step: 'plan', to, by: way.shown, nodes: least }, `would ${plan}`);
  if (way.question !== null) await session.confirm(way.question);
  await tell(session, { step: 'begun', to, by: way.shown, nodes: least }, plan);
  const timer = timerOf(session, options.within);
  const done = await way.run(timer.leftMs, areAllAt(before, to));
  await tell(session, { step: 'carried out', said: done, seconds: timer.seconds() }, done);
  await awaitNodes(session, options, { umbra, to, least, timer });
  if (watch !== false) await watchTimes(session, options.prometheus!, { ...options, watch });
};

async function versionOf({ to, form }: Options): Promise<string> {
  if ((to === undefined) === (form === undefined))
    throw usage('name the version that is to come back by --to VERSION, or by --form FILE of the release');
  return to ?? (await readKeptForm(form!)).from.version;
}

interface Timer {
  leftMs(): number;
  seconds(): number;
}

function timerOf({ around: { clock } }: Session, limit: number): Timer {
  const start = clock.monotonic();
  const passed = (): number => clock.monotonic() - start;
  return { leftMs: () => limit * 1000 - passed(), seconds: () => Math.round(passed() / 100) / 10 };
}

const tell = (session: Session, value: object, text: string): Promise<void> => session.out.say(value, text);

const foundText = (look: Look): string =>
  typeof look === 'string'
    ? `the service does not answer: ${look}`
    : `live: ${look.map(({ node, version }) => `${node} (${version ?? 'version not known'})`).join(', ') || 'no node'}`;

interface Wanted {
  readonly umbra: Umbra;
  readonly to: string;
  readonly least: number;
  readonly timer: Timer;
}

async function awaitNodes(session: Session, options: Options, { umbra, to, least, timer }: Wanted): Promise<void> {
  const { around } = session;
  let told: string | null = null;
  for (let looks = 0; ; looks++) {
    const look = await lookAt(session, umbra, options, Math.max(LOOK_MS, timer.leftMs()));
    const missing = missingIn(look, to, least);
    if (missing === null) break;
    const isOver = timer.leftMs() <= LOOK_MS || looks >= options.within;
    if (isOver || around.signal.aborted) {
      const exit = typeof look === 'string' ? EXIT.unreachable : EXIT.failed;
      throw new CliError(exit, `not back at version ${to} within ${options.within} s: ${missing}`);
    }
    if (missing !== told) await tell(session, { step: 'waiting', missing, seconds: timer.seconds() }, missing);
    told = missing;
    await around.pause(LOOK_MS);
  }
  const seconds = timer.seconds();
  await tell(session, { step: 'back', to, seconds }, `all nodes that live run version ${to}, after ${seconds} s`);
}

interface Watch {
  readonly watch: number;
  readonly p99: number;
  readonly job: string;
}

/** Waits until the times have been good for long enough without a break. A look without a figure is no good one. */
async function watchTimes(session: Session, server: string, { watch, p99: limit, job }: Watch): Promise<void> {
  const { around } = session;
  const timer = timerOf(session, watch * PATIENCE);
  /** The first of the good looks without a break. */
  let since: number | null = null;
  let worst = 0;
  for (let looks = 0; ; looks++) {
    const { figure, text } = await timeOf(session, server, job);
    const isGood = figure !== null && figure < limit;
    const now = around.clock.monotonic();
    [since, worst] = isGood ? [since ?? now, Math.max(worst, figure)] : [null, 0];
    const held = since === null ? 0 : Math.round((now - since) / 1000);
    await tell(session, { step: 'times', p99Ms: figure, limitMs: limit, heldSeconds: held }, `P99 ${text}`);
    if (isGood && held >= watch) break;
    if (timer.leftMs() <= 0 || looks >= (watch * PATIENCE) / WATCH_LOOK || around.signal.aborted)
      throw new CliError(
        EXIT.failed,
        `P99 was not below ${limit} ms for ${watch} s within ${watch * PATIENCE} s: the last look has found ${text}`,
      );
    await around.pause(WATCH_LOOK * 1000);
  }
  const told = `P99 was below ${limit} ms for ${watch} s, ${worst.toFixed(1)} ms at most`;
  await tell(session, { step: 'done', worstMs: worst, limitMs: limit, seconds: watch }, told);
}

/** A Prometheus that is away for a moment ends nothing. */
async function timeOf(session: Session, server: string, job: string): Promise<{ figure: number | null; text: string }> {
  try {
    const found = await ask(session, server, p99(job, WATCH_WINDOW));
    if (found === null) return { figure: null, text: 'no requests' };
    return { figure: found * 1000, text: `${(found * 1000).toFixed(1)} ms` };
  } catch (error) {
    return { figure: null, text: (error as Error).message };
  }
}
