import { CliError, EXIT } from '../exit-code.js';
import type { Cell } from '../output.js';
import type { Run } from '../session.js';

/** As the node that answers shows it. */
interface Status {
  readonly node: string;
  readonly ready: boolean;
  readonly version: string;
  readonly startedAt: string;
  readonly parts: Readonly<Record<string, Part>>;
  readonly storage: {
    readonly full: boolean;
    readonly members: readonly {
      readonly member: string;
      readonly leader: boolean;
      /** Of the quota: 1 is full. */
      readonly quotaShare: number;
    }[];
  } | null;
  /** null: they are not known. */
  readonly nodes: readonly string[] | null;
}

interface Part {
  readonly ok: boolean;
  readonly since: string;
  readonly reason: string;
  readonly failures: {
    readonly count: number;
    readonly last: { readonly at: string; readonly reason: string } | null;
  };
}

/** `ops status`. @throws CliError if the node is not ready; UmbraError */
export const status: Run = async (session) => {
  const umbra = await session.umbra({ retry: { attempts: 1 } });
  const { text } = await umbra.call({ path: '/health/status', signal: session.around.signal });
  const found = JSON.parse(text) as Status;
  const { node, version, startedAt, ready, nodes } = found;
  await session.out.lines(found, [
    { text: `node ${node}, version ${version}, since ${startedAt}`, style: 'bold' },
    ...Object.entries(found.parts).flatMap(([name, part]) => partLines(name, part)),
    ...storageLines(found),
    `nodes: ${nodes === null ? 'not known' : nodes.join(', ')}`,
  ]);
  if (!ready) throw new CliError(EXIT.failed, `node ${node} is not ready`);
};

function partLines(name: string, { ok, since, reason, failures: { count, last } }: Part): (string | Cell)[] {
  const line = `${ok ? 'ready' : 'NOT READY'}  ${name}: ${reason}, since ${since}`;
  const shown = ok ? line : { text: line, style: 'red' as const };
  if (last === null) return [shown];
  return [
    shown,
    { text: `       failed ${count} times, the last time at ${last.at}: ${last.reason}`, style: 'yellow' },
  ];
}

function storageLines({ storage }: Status): string[] {
  return (storage?.members ?? []).map(
    ({ member, leader, quotaShare }) =>
      `etcd   ${member}: ${(quotaShare * 100).toFixed(1)} % of the quota${leader ? ', leads' : ''}`,
  );
}
