import { CliError, EXIT, isUmbraError, usage } from '../exit-code.js';
import { nameOf, textOf } from '../json-file.js';
import { serviceRecordsOf, type RecordPath } from '../records.js';
import type { Run, Session } from '../session.js';
import { checkPolicy } from './policy-yaml.js';

/** The rules as the service shows them: for the tenant of the caller. */
interface TokenPolicy {
  readonly tenant: string;
  /** Seconds. */
  readonly ttl: number;
  readonly gracePeriod: number;
  readonly forceRotate: boolean;
  readonly refreshTtl: number;
  readonly refreshIdle: number;
  readonly reuseGrace: number;
  readonly clockSkew: number;
  readonly binding: string;
  /** The file; null: there is none, or it is not for the caller. */
  readonly yaml: string | null;
}

const PATH: RecordPath = ['token-policy'];
/** How the service names the place of a problem. */
const PLACE = /^\d+:\d+$/;

/** `token-policy get`. @throws CliError, UmbraError */
export const get: Run = async (session, _, options) => {
  const { record } = await (await serviceRecordsOf(session)).need<TokenPolicy>(PATH);
  const { yaml } = record;
  if (!(options as { yaml?: true }).yaml)
    return session.out.fields(
      record,
      [...rowsOf(record), ['file', yaml === null ? 'none that is shown' : 'as follows']],
      yaml?.trimEnd(),
    );
  if (yaml === null) throw new CliError(EXIT.notFound, 'there is no file, or it is not shown to you');
  if (session.out.isJson) return session.out.say({ yaml }, '');
  await session.out.raw(yaml);
};

const seconds = (value: number): string => `${value} s`;

const rowsOf = (each: TokenPolicy): (readonly [string, string])[] => [
  ['tenant', each.tenant],
  ['ttl', seconds(each.ttl)],
  ['grace period', seconds(each.gracePeriod)],
  ['force rotate', each.forceRotate ? 'yes' : 'no'],
  ['refresh ttl', seconds(each.refreshTtl)],
  ['refresh idle', seconds(each.refreshIdle)],
  ['reuse grace', seconds(each.reuseGrace)],
  ['clock skew', seconds(each.clockSkew)],
  ['binding', each.binding],
];

/** `token-policy apply`. @throws CliError, UmbraError */
export const apply: Run = async (session, [path = ''], options) => {
  const isDry = (options as { dryRun?: true }).dryRun === true;
  const [text, file] = [await fileOf(session, path), nameOf(path)];
  checkPolicy(text, file);
  const records = await serviceRecordsOf(session);
  const live = await records.need<TokenPolicy>(PATH);
  const change = live.record.yaml === text ? 'unchanged' : live.etag === null ? 'created' : 'replaced';
  const stored =
    isDry || change === 'unchanged'
      ? live.record
      : (await records.put<TokenPolicy>(PATH, text, live.etag).catch((error: unknown) => refused(error, file))).record;
  const words = { unchanged: 'is so already', created: 'is created', replaced: 'is replaced' }[change];
  await session.out.say(
    { change, dryRun: isDry, ...stored, yaml: undefined },
    `the token policy ${isDry && change !== 'unchanged' ? words.replace('is', 'would be') : words}`,
  );
};

/** The text of a file. @throws CliError, also if stdin is the key already */
export function fileOf(session: Session, path: string): Promise<string> {
  if (path === '-' && session.options.keyFile === '-') throw usage('stdin cannot be both the key and the file');
  return textOf(path, session.around);
}

/** A refusal with the places in the file, which only the service has found. */
function refused(error: unknown, file: string): never {
  const errors = isUmbraError(error) && error.status === 400 ? error.problem?.['errors'] : null;
  const found = (Array.isArray(errors) ? errors : []) as { parameter: string; message: string }[];
  if (found.length === 0 || !found.every(({ parameter }) => PLACE.test(parameter))) throw error;
  throw new CliError(EXIT.failed, found.map(({ parameter, message }) => `${file}:${parameter}: ${message}`).join('\n'));
}

/** `token-policy delete`. @throws CliError, UmbraError */
export const remove: Run = async (session) => {
  await session.confirm('Delete the token policy, so that the defaults hold?');
  await (await serviceRecordsOf(session)).remove(PATH);
  await session.out.say({ deleted: true }, 'the token policy is deleted; the defaults hold');
};
