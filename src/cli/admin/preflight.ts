import { CliError, EXIT } from '../exit-code.js';
import type { Style } from '../output.js';
import { serviceRecordsOf } from '../records.js';
import type { Run, Session } from '../session.js';
import { ask } from './prometheus.js';
import { CERTIFICATES, FEED_LAG, READY_NODES } from './queries.js';
import { secretsBelow } from './secrets-in-tree.js';

/** One line of the checklist. */
export interface Line {
  readonly check: string;
  readonly state: 'ok' | 'failed' | 'skipped';
  readonly found: string;
  readonly limit: string;
}

export interface PreflightOptions {
  readonly nodes: number;
  readonly prometheus?: string;
  readonly tree?: string;
}

interface Part {
  readonly ok: boolean;
  readonly reason: string;
  /** Of etcd alone: those that the node knows. */
  readonly members?: readonly { readonly member: string; readonly ok: boolean }[];
}

interface Status {
  readonly parts: Readonly<Record<string, Part>>;
  readonly storage: {
    readonly members: readonly { readonly member: string; readonly leader: boolean; readonly quotaShare: number }[];
  } | null;
}

interface Nodes {
  readonly nodes: readonly { readonly node: string; readonly software: string | null; readonly draining: boolean }[];
}

interface Runtime {
  readonly live: { readonly version: number; readonly document: { readonly logLevel?: string } | null } | null;
  readonly staged: { readonly version: number } | null;
  readonly nodes: readonly { readonly node: string; readonly inForce: number | null }[];
}

/** Share of the quota above which etcd is to be given room first; the alert EtcdSpaceLow has the same. */
const MOST_QUOTA = 0.75;
/** Seconds that changes may take to the subscribers, p99 of the last five minutes. */
const MOST_LAG = 5;
/** Days that certificates must last: an upgrade must not end in a renewal. */
const LEAST_DAYS = 14;
const DAY = 86_400;

const COLORS: Readonly<Record<Line['state'], Style>> = { ok: 'green', failed: 'red', skipped: 'yellow' };

/** `ops preflight`. @throws CliError if a line has failed; UmbraError */
export const preflight: Run = async (session, _, options) => {
  const lines = await checklist(session, options as unknown as PreflightOptions);
  await show(session, lines);
  const failed = failedIn(lines);
  if (failed.length > 0) throw new CliError(EXIT.failed, `not ready for a change: ${failed.join(', ')}`);
};

/** Looks at all of the checklist. @throws CliError, UmbraError */
export async function checklist(session: Session, options: PreflightOptions): Promise<Line[]> {
  const { nodes, prometheus, tree } = options;
  const { live, lines } = await ofService(session, nodes);
  lines.push(...(await ofPrometheus(session, prometheus, live)));
  lines.push(tree === undefined ? skipped('secrets', 'none in the tree', '--tree') : await secrets(tree));
  return lines;
}

/** @throws the error of the stream */
export const show = (session: Session, lines: readonly Line[]): Promise<void> =>
  session.out.list(lines, ['', 'CHECK', 'FOUND', 'LIMIT'], ({ check, state, found, limit }) => [
    { text: state, style: COLORS[state] },
    check,
    found,
    limit,
  ]);

/** The checks that have failed. No errors. */
export const failedIn = (lines: readonly Line[]): string[] =>
  lines.filter(({ state }) => state === 'failed').map(({ check }) => check);

/** No errors. */
export const judged = (check: string, isGood: boolean, found: string, limit: string): Line => ({
  check,
  state: isGood ? 'ok' : 'failed',
  found,
  limit,
});

/** @param option that would have it looked at. No errors. */
export const skipped = (check: string, limit: string, option: string): Line => ({
  check,
  state: 'skipped',
  found: `not looked at: give ${option}`,
  limit,
});

async function ofService(session: Session, least: number): Promise<{ live: number; lines: Line[] }> {
  const umbra = await session.umbra({ retry: { attempts: 1 } });
  const { text } = await umbra.call({ path: '/health/status', signal: session.around.signal });
  const status = JSON.parse(text) as Status;
  const records = await serviceRecordsOf(session);
  const { record: nodes } = await records.need<Nodes>(['nodes']);
  const { record: runtime } = await records.need<Runtime>(['runtime']);
  const lines = [...partLines(status), ...memberLines(status), ...nodeLines(nodes, least), ...runtimeLines(runtime)];
  return { live: nodes.nodes.length, lines };
}

function partLines({ parts }: Status): Line[] {
  const bad = Object.entries(parts).filter(([, { ok }]) => !ok);
  const found = bad.length > 0 ? bad.map(([name, { reason }]) => `${name}: ${reason}`).join('; ') : 'all are ready';
  return [judged('parts of the node', bad.length === 0, found, 'all are ready')];
}

function memberLines({ parts, storage }: Status): Line[] {
  const members = storage?.members ?? [];
  const leaders = members.filter(({ leader }) => leader).length;
  const silent = (parts['etcd']?.members ?? []).filter(({ ok }) => !ok).map(({ member }) => member);
  const missing = silent.length > 0 ? `, ${silent.join(', ')} not` : '';
  const fullest = Math.max(0, ...members.map(({ quotaShare }) => quotaShare));
  return [
    judged(
      'members of etcd',
      leaders === 1 && silent.length === 0,
      `${members.length} answer${missing}, ${leaders} leads`,
      'all answer, one leads',
    ),
    judged(
      'quota of etcd',
      members.length > 0 && fullest <= MOST_QUOTA,
      percent(fullest),
      `${percent(MOST_QUOTA)} at most`,
    ),
  ];
}

function nodeLines({ nodes }: Nodes, least: number): Line[] {
  const draining = nodes.filter((each) => each.draining).map(({ node }) => node);
  const versions = [...new Set(nodes.map(({ software }) => software ?? 'not known'))];
  return [
    judged('nodes', nodes.length >= least, `${nodes.length} live`, `${least} at least`),
    judged('drains', draining.length === 0, draining.join(', ') || 'none', 'none'),
    judged('versions', versions.length === 1, versions.join(', '), 'one on all nodes'),
  ];
}

function runtimeLines({ live, staged, nodes }: Runtime): Line[] {
  const behind = nodes.filter(({ inForce }) => inForce !== (live?.version ?? null)).map(({ node }) => node);
  const level = live?.document?.logLevel;
  return [
    judged('staged configuration', staged === null, staged === null ? 'none' : `version ${staged.version}`, 'none'),
    judged('live configuration', behind.length === 0, behind.join(', ') || 'followed by all', 'followed by all'),
    judged(
      'log level',
      level !== 'debug' && level !== 'trace',
      level ?? 'as the environment of each node has it',
      'not debug, not trace',
    ),
  ];
}

async function ofPrometheus(session: Session, server: string | undefined, live: number): Promise<Line[]> {
  const limits = [`all ${live} that live`, `${MOST_LAG} s at most`, `${LEAST_DAYS} days at least`] as const;
  const checks = ['nodes that are ready', 'lag of the feed', 'certificates'] as const;
  if (server === undefined) return checks.map((check, at) => skipped(check, limits[at]!, '--prometheus'));
  const [ready, lag, end] = [
    await ask(session, server, READY_NODES),
    await ask(session, server, FEED_LAG),
    await ask(session, server, CERTIFICATES),
  ];
  return [
    judged(checks[0], (ready ?? 0) >= live, String(ready ?? 0), limits[0]),
    // Nothing was written for five minutes: nothing lags.
    judged(checks[1], lag === null || lag <= MOST_LAG, lag === null ? 'no changes' : `${lag.toFixed(3)} s`, limits[1]),
    judged(
      checks[2],
      end === null || end >= LEAST_DAYS * DAY,
      end === null ? 'no doors with TLS' : days(end),
      limits[2],
    ),
  ];
}

async function secrets(tree: string): Promise<Line> {
  const found = await secretsBelow(tree);
  return judged('secrets', found.length === 0, found.join(', ') || 'none', 'none in the tree');
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
const days = (seconds: number): string => `${(seconds / DAY).toFixed(1)} days`;
