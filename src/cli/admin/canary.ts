import { CliError, EXIT, usage } from '../exit-code.js';
import type { Style } from '../output.js';
import type { Run, Session } from '../session.js';
import { ask, askAll, type Figure } from './prometheus.js';
import { nodesByVersion, sideQueries, type Side } from './queries.js';

/** Share of failed requests within which the ratio does not matter: the objective of availability allows it. */
export const TOLERATED = 0.001;

/** What a side has told over the window. */
export interface Told {
  readonly requests: number;
  readonly failed: number;
  /** Seconds; null: there is none. */
  readonly p99: number | null;
  /** Seconds for which all of its nodes run. */
  readonly age: number;
}

export interface Limits {
  /** Of each side, over the window. */
  readonly requests: number;
  /** How often the share of the others may be in that of the new version. */
  readonly errors: number;
  /** Likewise, of the P99. */
  readonly latency: number;
  /** Seconds. */
  readonly window: number;
}

/** One line of the judgement. */
export interface Line {
  readonly check: string;
  readonly state: 'ok' | 'failed' | 'too little';
  readonly canary: string;
  readonly rest: string;
  readonly limit: string;
}

export type Verdict = 'pass' | 'fail' | 'not enough data';

interface Options extends Limits {
  readonly prometheus: string;
  readonly job: string;
}

/** Checks without which the others say nothing. */
const DATA: readonly string[] = ['runs for', 'requests'];

const COLORS: Readonly<Record<Line['state'], Style>> = { ok: 'green', failed: 'red', 'too little': 'yellow' };

/** `ops canary`. @throws CliError unless the verdict is that it passes */
export const canary: Run = async (session, [given], options) => {
  const { prometheus, job, ...limits } = options as unknown as Options;
  const version = given ?? newcomerOf(await askAll(session, prometheus, nodesByVersion(job)), job);
  const [mine, theirs] = [
    await told(session, prometheus, { job, version, isRest: false }, limits.window),
    await told(session, prometheus, { job, version, isRest: true }, limits.window),
  ];
  const { verdict, lines } = judge(mine, theirs, limits);
  await session.out.list(lines, ['', 'CHECK', version, 'OTHERS', 'LIMIT'], (line) => [
    { text: line.state, style: COLORS[line.state] },
    ...[line.check, line.canary, line.rest, line.limit],
  ]);
  const bad = lines.filter(({ state }) => state !== 'ok').map(({ check }) => check);
  const lacking = bad.filter((check) => DATA.includes(check));
  if (verdict === 'pass') return session.out.say({ verdict, version }, `version ${version} passes`);
  if (session.out.isJson) await session.out.say({ verdict, version }, '');
  if (verdict === 'fail') throw new CliError(EXIT.failed, `version ${version} fails: ${bad.join(', ')}`);
  throw new CliError(
    EXIT.undecided,
    `not enough data to judge version ${version}: ${(lacking.length > 0 ? lacking : bad).join(', ')}`,
  );
};

/** The version that the fewest nodes run, where there are two. @throws CliError */
function newcomerOf(found: readonly Figure[], job: string): string {
  const versions = found
    .map(({ labels, value }) => ({ version: labels['version'] ?? '', nodes: value }))
    .sort((a, b) => a.nodes - b.nodes);
  const [fewest, most] = versions;
  if (versions.length === 2 && fewest!.nodes < most!.nodes) return fewest!.version;
  const seen = versions.map(({ version, nodes }) => `${version} on ${nodes}`).join(', ') || 'no node';
  throw usage(`give the version to judge: Prometheus has seen ${seen} (job ${job})`);
}

async function told(session: Session, server: string, side: Side, window: number): Promise<Told> {
  const queries = sideQueries(side, `${window}s`);
  return {
    requests: Math.round((await ask(session, server, queries.requests)) ?? 0),
    failed: Math.round((await ask(session, server, queries.failed)) ?? 0),
    p99: await ask(session, server, queries.p99),
    age: (await ask(session, server, queries.age)) ?? 0,
  };
}

/** Judges a version against the others. What lacks data is no failure, and no success either. No errors. */
export function judge(canary: Told, rest: Told, limits: Limits): { readonly verdict: Verdict; readonly lines: Line[] } {
  const data = [runsLine(canary, rest, limits), requestsLine(canary, rest, limits)];
  const hasData = data.every(({ state }) => state === 'ok');
  const lines = [...data, errorsLine(canary, rest, limits, hasData), latencyLine(canary, rest, limits, hasData)];
  if (lines.some(({ state }) => state === 'failed')) return { verdict: 'fail', lines };
  return { verdict: lines.every(({ state }) => state === 'ok') ? 'pass' : 'not enough data', lines };
}

/** What an instance did before its restart would be counted for the version that it runs now. */
function runsLine(canary: Told, rest: Told, { window }: Limits): Line {
  return {
    ...{ check: 'runs for', canary: seconds(canary.age), rest: seconds(rest.age) },
    state: canary.age >= window && rest.age >= window ? 'ok' : 'too little',
    limit: `the window of ${seconds(window)} at least`,
  };
}

function requestsLine(canary: Told, rest: Told, { requests }: Limits): Line {
  return {
    ...{ check: 'requests', canary: String(canary.requests), rest: String(rest.requests) },
    state: Math.min(canary.requests, rest.requests) >= requests ? 'ok' : 'too little',
    limit: `${requests} at least`,
  };
}

function errorsLine(canary: Told, rest: Told, { errors }: Limits, hasData: boolean): Line {
  const [mine, theirs] = [shareOf(canary), shareOf(rest)];
  const most = Math.max(TOLERATED, theirs * errors);
  return {
    ...{ check: 'failed requests', canary: percent(mine), rest: percent(theirs) },
    state: stateOf(hasData, mine <= most),
    limit: `${percent(most)} at most (${errors} times, or ${percent(TOLERATED)})`,
  };
}

function latencyLine(canary: Told, rest: Told, { latency }: Limits, hasData: boolean): Line {
  const isKnown = canary.p99 !== null && rest.p99 !== null;
  const most = (rest.p99 ?? 0) * latency;
  return {
    ...{ check: 'P99', canary: milliseconds(canary.p99), rest: milliseconds(rest.p99) },
    state: stateOf(hasData && isKnown, (canary.p99 ?? 0) <= most),
    limit: rest.p99 === null ? `${latency} times at most` : `${milliseconds(most)} at most (${latency} times)`,
  };
}

function stateOf(hasData: boolean, isGood: boolean): Line['state'] {
  if (!hasData) return 'too little';
  return isGood ? 'ok' : 'failed';
}

const shareOf = ({ requests, failed }: Told): number => (requests === 0 ? 0 : failed / requests);
const percent = (share: number): string => `${(share * 100).toFixed(2)} %`;
const seconds = (value: number): string => `${Math.round(value)} s`;
const milliseconds = (value: number | null): string => (value === null ? 'none' : `${(value * 1000).toFixed(1)} ms`);
