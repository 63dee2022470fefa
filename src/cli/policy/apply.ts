import { CliError, EXIT, usage } from '../exit-code.js';
import { differencesOf, differenceLines } from '../difference.js';
import type { Cell } from '../output.js';
import type { Kept } from '../records.js';
import type { Run, Session } from '../session.js';
import { readPolicyFile, type PolicyFile } from './policy-file.js';
import { Policies, type PolicyView } from './policy-records.js';

interface Given {
  readonly name?: string;
  readonly dryRun?: true;
  readonly exitCode?: true;
  readonly replace?: true;
}

/** A file beside what the service has of its policy. */
interface Pair {
  readonly file: PolicyFile;
  readonly live: Kept<PolicyView> | null;
}

/** Makes policies as files say. @throws CliError, UmbraError */
export const apply: Run = async (session, paths, options) => {
  const { name, dryRun } = options as Given;
  if (name !== undefined && paths.length > 1) throw usage('--name is for one file');
  if (paths.filter((path) => path === '-').length > 1) throw usage('stdin can be one file only');
  const files: PolicyFile[] = [];
  for (const path of paths) files.push(await fileOf(session, path, name));
  const twice = files.find((file, index) => files.findIndex(({ policy }) => policy === file.policy) < index);
  if (twice) throw usage(`${twice.file}: another file has the policy ${twice.policy} too`);
  const policies = await Policies.of(session, options);
  const pairs: Pair[] = [];
  for (const file of files) pairs.push({ file, live: await policies.changeable(file.policy) });
  for (const pair of pairs) await applyOne(session, policies, pair, dryRun === true);
};

async function applyOne(session: Session, policies: Policies, { file, live }: Pair, isDry: boolean): Promise<void> {
  const { out } = session;
  const before = live?.record.document;
  const isSame = live !== null && differencesOf(before, file.document).length === 0;
  const change = isSame ? 'unchanged' : live === null ? 'created' : 'replaced';
  const stored = isSame || isDry ? null : await policies.put(file.policy, file.text, live?.etag ?? null);
  const now = stored ?? live?.record ?? null;
  const lines = [
    ...(isDry && !isSame ? differenceLines(before, file.document) : []),
    ...file.notes.map((note) => `note: ${note}`),
    `policy ${file.policy} ${wordsOf(change, isDry)}${stored === null ? '' : `, version ${stored.version}`}`,
  ];
  const said = { policy: file.policy, change, version: now?.version ?? null, dryRun: isDry, notes: file.notes };
  await out.lines(isDry ? { ...said, differences: differencesOf(before, file.document) } : said, lines);
}

function wordsOf(change: 'created' | 'replaced' | 'unchanged', isDry: boolean): string {
  if (change === 'unchanged') return 'is so already';
  return `${isDry ? 'would be' : 'is'} ${change}`;
}

/** Shows in what a file differs from the live policy. @throws CliError, UmbraError */
export const diff: Run = async (session, [path = ''], options) => {
  const { name, exitCode } = options as Given;
  const file = await fileOf(session, path, name);
  const live = (await (await Policies.of(session, options)).find(file.policy))?.record ?? null;
  const differences = differencesOf(live?.document, file.document);
  const lines: (string | Cell)[] = live === null ? [`there is no policy ${file.policy} yet`] : [];
  if (differences.length === 0) lines.push(`${file.file} is what version ${live?.version} of ${file.policy} says`);
  else {
    if (live) lines.push(`- version ${live.version} of ${file.policy}`, `+ ${file.file}`);
    lines.push(...differenceLines(live?.document, file.document));
  }
  await session.out.lines({ policy: file.policy, version: live?.version ?? null, differences }, lines);
  if (exitCode && differences.length > 0) throw new CliError(EXIT.failed, `${file.file} differs from ${file.policy}`);
};

/** Makes a policy of what AWS has. @throws CliError, UmbraError */
export const importPolicy: Run = async (session, [path = ''], options) => {
  const { name, replace, dryRun } = options as Given;
  const file = await fileOf(session, path, name);
  const policies = await Policies.of(session, options);
  const live = await policies.changeable(file.policy);
  const isSame = live !== null && differencesOf(live.record.document, file.document).length === 0;
  if (live && !isSame && !replace)
    throw new CliError(
      EXIT.conflict,
      `there is another policy ${file.policy}: see \`umbra policy diff\`, and give --replace or --name NAME`,
    );
  await applyOne(session, policies, { file, live }, dryRun === true);
};

function fileOf(session: Session, path: string, name: string | undefined): Promise<PolicyFile> {
  if (path === '-' && session.options.keyFile === '-') throw usage('stdin cannot be both the key and the file');
  return readPolicyFile(session, path, name);
}
