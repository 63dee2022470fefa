import { differenceLines } from '../difference.js';
import { CliError, EXIT, usage } from '../exit-code.js';
import { printableLine } from '../printable.js';
import type { Session } from '../session.js';
import { Policies, type PolicyView } from './policy-records.js';

/** Lists the policies. @throws CliError, UmbraError */
export async function list(
  session: Session,
  _: readonly string[],
  options: Readonly<Record<string, unknown>>,
): Promise<void> {
  const all = (await Policies.of(session, options)).list();
  await session.out.stream(all, ['POLICY', 'VERSION', 'CHANGED', 'BY', 'NOTES'], (each) => {
    const current = each.versions.find(({ version: of }) => of === each.version);
    const [changed, by] = each.builtIn ? ['', 'built in'] : [current?.createdAt ?? '', current?.createdBy ?? ''];
    return [each.policy, `${each.version}`, changed, by, each.notes.length > 0 ? `${each.notes.length}` : ''];
  });
}

/** Shows one. @throws CliError, UmbraError */
export async function get(
  session: Session,
  [name = '']: readonly string[],
  options: Readonly<Record<string, unknown>>,
) {
  const { record } = await (await Policies.of(session, options)).get(name);
  if (options['document'] === true) return session.out.say(record.document, JSON.stringify(record.document, null, 2));
  await session.out.say(record, textOfPolicy(record));
}

function textOfPolicy({ policy, document, notes, version: current, versions, builtIn }: PolicyView): string {
  const kept = versions.map(
    ({ version: each, createdAt, createdBy }) =>
      `version  ${each}  ${createdAt}  ${createdBy}${each === current ? '  (counts)' : ''}`,
  );
  return [
    `policy   ${policy}${builtIn ? '  (built in)' : ''}`,
    ...kept,
    ...notes.map((note) => `note     ${printableLine(note)}`),
    JSON.stringify(document, null, 2),
  ].join('\n');
}

/** Makes a kept version count. @throws CliError, UmbraError */
export async function rollback(
  session: Session,
  [name = '']: readonly string[],
  options: Readonly<Record<string, unknown>>,
) {
  const policies = await Policies.of(session, options);
  const found = await policies.changeable(name);
  const { record, etag } = found ?? (await policies.get(name));
  const kept = record.versions.map((each) => each.version);
  const wanted = (options['to'] as number | undefined) ?? kept.filter((each) => each < record.version).at(-1);
  if (wanted === undefined) throw new CliError(EXIT.notFound, `${name} has no version before ${record.version}`);
  if (!kept.includes(wanted))
    throw new CliError(EXIT.notFound, `${name} has no version ${wanted}; it has ${kept.join(', ')}`);
  if (wanted === record.version) throw usage(`version ${wanted} of ${name} is the one that counts`);
  const fresh = await policies.rollback(name, wanted, etag);
  await session.out.lines(fresh, [
    ...differenceLines(record.document, fresh.document),
    `version ${wanted} of ${name} counts, instead of ${record.version}`,
  ]);
}

/** Deletes one. @throws CliError, UmbraError */
export async function remove(
  session: Session,
  [name = '']: readonly string[],
  options: Readonly<Record<string, unknown>>,
) {
  const policies = await Policies.of(session, options);
  const found = await policies.changeable(name);
  const { etag } = found ?? (await policies.get(name));
  await session.confirm(`Delete the policy ${name} with all its versions?`);
  await policies.remove(name, etag);
  await session.out.say({ policy: name, deleted: true }, `policy ${name} is deleted`);
}
