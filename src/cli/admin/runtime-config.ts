import { adviserFor } from '../advise.js';
import { differenceLines } from '../difference.js';
import { CliError, EXIT } from '../exit-code.js';
import { nameOf, parseJson } from '../json-file.js';
import type { Cell } from '../output.js';
import { serviceRecordsOf } from '../records.js';
import type { Run, Session } from '../session.js';
import { fileOf } from './token-policy.js';

/** A document as the service keeps it. */
interface Version {
  readonly version: number;
  /** null: the node that answers cannot read it. */
  readonly document: object | null;
  readonly stagedBy: string | null;
  readonly restores: number | null;
  readonly promotedBy: string | null;
  readonly promotedAt: string | null;
}

interface Verdict {
  readonly version: number;
  readonly accepted: boolean;
  readonly fault: string | null;
}

interface Node {
  readonly node: string;
  readonly software: string | null;
  /** Version that the node follows. */
  readonly inForce: number | null;
  readonly staged: Verdict | null;
  readonly live: Verdict | null;
}

/** As the service shows it. */
interface Runtime {
  readonly live: Version | null;
  readonly staged: Version | null;
  readonly nodes: readonly Node[];
  readonly history: readonly Version[];
}

/** `ops config get`. @throws CliError, UmbraError */
export const get: Run = async (session) => {
  const { record } = await (await serviceRecordsOf(session)).need<Runtime>(['runtime']);
  const { live, staged } = record;
  await session.out.lines(record, [
    ...documentLines(live, 'nothing is live: the nodes follow their environment'),
    ...documentLines(staged, 'nothing is staged'),
    ...nodeLines(record),
  ]);
};

function documentLines(version: Version | null, none: string): string[] {
  if (version === null) return [none];
  const { promotedBy, stagedBy, document } = version;
  const by = promotedBy === null ? `staged by ${stagedBy}` : `live, promoted by ${promotedBy}`;
  return [`version ${version.version}, ${by}`, ...JSON.stringify(document, null, 2).split('\n')];
}

/** What each node follows, and what it says of the staged document, if there is one. */
function nodeLines({ staged, live, nodes }: Runtime): (string | Cell)[] {
  return nodes.map((each) => {
    const follows = each.inForce === null ? 'its environment' : `version ${each.inForce}`;
    const trouble = troubleOf(each, staged ?? live);
    const text = `node ${each.node}: follows ${follows}${trouble === null ? '' : `; ${trouble}`}`;
    return trouble === null ? text : { text, style: 'yellow' };
  });
}

/** Why a node is in the way of a version; null: it is not. */
function troubleOf({ software, staged, live }: Node, wanted: Version | null): string | null {
  if (software === null) return 'says nothing of its runtime configuration';
  if (wanted === null) return null;
  const verdict = wanted.promotedBy === null ? staged : live;
  if (verdict?.version !== wanted.version) return `has not seen version ${wanted.version} yet`;
  return verdict.fault === null ? null : `refuses version ${wanted.version}: ${verdict.fault}`;
}

/** `ops config stage`. @throws CliError, also if a node does not take the file; UmbraError */
export const stage: Run = async (session, [path = '']) => {
  const { value } = await parseJson(await fileOf(session, path), nameOf(path));
  const records = await serviceRecordsOf(session);
  const before = await records.need<Runtime>(['runtime']);
  const { record } = await records.put<Runtime>(['runtime', 'staged'], value, before.etag ?? undefined);
  const { staged, live, nodes } = record;
  const advise = adviserFor(session.options);
  const told = `version ${staged?.version} is staged; ${advise('ops', 'config', 'promote')} makes it live`;
  const shown = [...differenceLines(live?.document ?? {}, staged?.document ?? {}), ...nodeLines(record), told];
  await session.out.lines(record, shown);
  const refusing = nodes.filter((each) => troubleOf(each, staged) !== null);
  if (refusing.length > 0)
    throw new CliError(EXIT.failed, `not taken by ${refusing.map(({ node }) => node).join(', ')}; nothing has changed`);
};

/** `ops config promote`. @throws CliError, UmbraError precondition-failed with what a node says against it */
export const promote: Run = async (session) => {
  const records = await serviceRecordsOf(session);
  const { etag } = await records.need<Runtime>(['runtime']);
  await tellLive(session, (await records.post<Runtime>(['runtime', 'promote'], {}, etag)).record);
};

/** `ops config rollback`. @throws CliError, UmbraError */
export const rollback: Run = async (session, [version]) => {
  const body = version === undefined ? {} : { version: Number(version) };
  const { record } = await (await serviceRecordsOf(session)).post<Runtime>(['runtime', 'rollback'], body);
  await tellLive(session, record);
};

async function tellLive(session: Session, record: Runtime): Promise<void> {
  const { live, nodes } = record;
  const following = nodes.filter(({ inForce }) => inForce === live?.version).length;
  const again = live?.restores ? `, the document of version ${live.restores},` : '';
  const told = `version ${live?.version}${again} is live; ${following} of ${nodes.length} nodes follow it`;
  await session.out.lines(record, following === nodes.length ? [told] : [...nodeLines(record), told]);
}

/** `ops config history`. @throws CliError, UmbraError */
export const history: Run = async (session) => {
  const { record } = await (await serviceRecordsOf(session)).need<Runtime>(['runtime']);
  await session.out.list(record.history, ['VERSION', 'PROMOTED', 'BY', 'DOCUMENT'], (each) => [
    String(each.version),
    each.promotedAt ?? '',
    each.promotedBy ?? '',
    `${JSON.stringify(each.document)}${each.restores === null ? '' : ` (that of version ${each.restores})`}`,
  ]);
};
