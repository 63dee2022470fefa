import { CliError, EXIT } from '../exit-code.js';
import { serviceRecordsOf, type Records } from '../records.js';
import type { Run, Session } from '../session.js';

/** Milliseconds between two looks at the nodes: each counts its connections once a second. */
const LOOK_MS = 1_000;
/** Looks for which clients may take to come back after the last one was asked to go. */
const MOST_LOOKS = 15;
/** Share of the connections that have to be there again before the next round. */
const BACK = 0.99;

/** As the service shows it. */
interface Node {
  readonly node: string;
  readonly software: string | null;
  /** null: it says nothing of its connections. */
  readonly connections: number | null;
  readonly draining: boolean;
  readonly shed: { readonly connections: number; readonly closed: number; readonly done: boolean } | null;
}

interface Nodes {
  readonly nodes: readonly Node[];
  readonly mean: number | null;
}

interface Options {
  readonly dryRun?: boolean;
  /** Seconds. */
  readonly spread?: number;
  /** Percent of the mean. */
  readonly within: number;
  readonly rounds: number;
}

/** `ops nodes`. @throws CliError, UmbraError */
export const nodes: Run = async (session) => {
  const found = await read(await serviceRecordsOf(session));
  await show(session, found);
};

/** `ops rebalance`. @throws CliError, also if the nodes are not even at the end; UmbraError */
export const rebalance: Run = async (session, _, options) => {
  const { dryRun, spread, within, rounds } = options as unknown as Options;
  const records = await serviceRecordsOf(session);
  let found = await read(records);
  if (dryRun) {
    await session.out.list(excesses(found), ['NODE', 'CONNECTIONS', 'WOULD SHED'], ({ node, connections, excess }) => [
      node,
      String(connections),
      String(excess),
    ]);
    return;
  }
  const body = spread === undefined ? {} : { spreadMs: spread * 1000 };
  for (let round = 1; round <= rounds && (round === 1 || !isEven(found, within)); round++) {
    if (session.around.signal.aborted) break;
    const shedding = excesses(found);
    if (shedding.length === 0) break;
    for (const { node } of shedding) await records.post(['nodes', node, 'shed'], body);
    found = await settled(session, records, totalOf(found));
  }
  await show(session, found);
  const silent = found.nodes.filter(({ connections }) => connections === null).map(({ node }) => node);
  if (silent.length > 0) throw new CliError(EXIT.failed, `not known how many connections ${silent.join(', ')} has`);
  if (!isEven(found, within)) throw new CliError(EXIT.failed, `not within ${within} % of the mean; run it again`);
};

const read = async (records: Records): Promise<Nodes> => (await records.need<Nodes>(['nodes'])).record;

/** Waits until all have shed what they were asked to, and their clients are back. */
async function settled({ around }: Session, records: Records, total: number): Promise<Nodes> {
  for (let looks = 0; ;) {
    const found = await read(records);
    const isShedding = found.nodes.some(({ shed }) => shed?.done === false);
    const isBack = !isShedding && totalOf(found) >= total * BACK;
    if (isBack || looks >= MOST_LOOKS || around.signal.aborted) return found;
    // The spread has no end that this command would know.
    if (!isShedding) looks++;
    await around.pause(LOOK_MS);
  }
}

const totalOf = (found: Nodes): number => stayingOf(found).reduce((sum, { connections }) => sum + connections, 0);

const stayingOf = ({ nodes }: Nodes): (Node & { readonly connections: number })[] =>
  nodes.filter((each): each is Node & { connections: number } => each.connections !== null && !each.draining);

function excesses(found: Nodes): { node: string; connections: number; excess: number }[] {
  const mean = Math.ceil(found.mean ?? Infinity);
  return stayingOf(found)
    .map(({ node, connections }) => ({ node, connections, excess: Math.max(0, connections - mean) }))
    .filter(({ excess }) => excess > 0);
}

/** One connection more or less is as even as it can be. */
function isEven(found: Nodes, within: number): boolean {
  const { mean } = found;
  if (mean === null) return true;
  const most = Math.max(1, (mean * within) / 100);
  return stayingOf(found).every(({ connections }) => Math.abs(connections - mean) <= most);
}

async function show(session: Session, found: Nodes): Promise<void> {
  await session.out.list(found.nodes, ['NODE', 'VERSION', 'CONNECTIONS', 'STATE'], (each) => [
    each.node,
    each.software ?? 'not known',
    each.connections === null ? 'not known' : String(each.connections),
    stateOf(each),
  ]);
}

function stateOf({ draining, shed }: Node): string {
  if (draining) return 'shutting down';
  if (shed === null) return '';
  return `has shed ${shed.closed} of ${shed.connections}`;
}
