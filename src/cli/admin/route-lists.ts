import { differenceLines, differencesOf } from '../difference.js';
import { usage } from '../exit-code.js';
import { nameOf, parseJson, type JsonPath } from '../json-file.js';
import { serviceRecordsOf, type RecordPath } from '../records.js';
import type { Run } from '../session.js';
import { fileOf } from './token-policy.js';

/** What a listener lets through. */
interface RouteList {
  /** null: everything that is not denied. */
  readonly allow: readonly string[] | null;
  readonly deny: readonly string[];
}

/** The lists as the service shows them. */
interface RouteLists {
  readonly listeners: Readonly<Record<string, RouteList>>;
}

const PATH: RecordPath = ['route-lists'];
const LISTENERS = ['http', 'https', 'grpc', 'grpcs', '*'];
/** A method or a star, a space, and a path. The service looks closer. */
const PATTERN = /^(\*|[A-Z]+) \/\S*$/;

type Refuse = (path: JsonPath, problem: string) => void;

/** `route-list list`. @throws CliError, UmbraError */
export const list: Run = async (session) => {
  const { record } = await (await serviceRecordsOf(session)).need<RouteLists>(PATH);
  const all = Object.entries(record.listeners).map(([listener, each]) => ({ listener, ...each }));
  if (session.out.isJson) return session.out.list(all, [], () => []);
  const rows = all.flatMap(({ listener, allow, deny }) => [
    ...(allow ?? ['everything']).map((pattern) => [listener, 'allow', pattern]),
    ...deny.map((pattern) => [listener, 'deny', pattern]),
  ]);
  await session.out.list(rows, ['LISTENER', 'DOES', 'PATTERN'], (row) => row);
};

/** `route-list get`. @throws CliError, UmbraError */
export const get: Run = async (session) => {
  const { record } = await (await serviceRecordsOf(session)).need<RouteLists>(PATH);
  await session.out.say(record, JSON.stringify(record, null, 2));
};

/** `route-list apply`. @throws CliError, UmbraError */
export const apply: Run = async (session, [path = ''], options) => {
  const isDry = (options as { dryRun?: true }).dryRun === true;
  const wanted = await listsIn(await fileOf(session, path), nameOf(path));
  const records = await serviceRecordsOf(session);
  const { record: live, etag } = await records.need<RouteLists>(PATH);
  const differences = differencesOf(live, wanted);
  const change = differences.length === 0 ? 'unchanged' : etag === null ? 'created' : 'replaced';
  if (!isDry && change !== 'unchanged') await records.put<RouteLists>(PATH, wanted, etag);
  const words = { unchanged: 'are so already', created: 'are created', replaced: 'are replaced' }[change];
  const told = `the route lists ${isDry && change !== 'unchanged' ? words.replace('are', 'would be') : words}`;
  const said = { change, dryRun: isDry, ...(isDry && { differences }) };
  await session.out.lines(said, [...(isDry ? differenceLines(live, wanted) : []), told]);
};

/** `route-list delete`. @throws CliError, UmbraError */
export const remove: Run = async (session) => {
  await session.confirm('Delete the route lists of all listeners, so that everything is let through?');
  await (await serviceRecordsOf(session)).remove(PATH);
  await session.out.say({ deleted: true }, 'the route lists are deleted: everything is let through');
};

/** What a file says, filled up as the service does. @throws CliError with the places of what is wrong */
async function listsIn(text: string, file: string): Promise<RouteLists> {
  const { value, placeOf } = await parseJson(text, file);
  const problems: string[] = [];
  const refuse: Refuse = (path, problem) => void problems.push(`${placeOf(path)}: ${problem}`);
  const lists = rootOf(value, refuse);
  if (problems.length > 0) throw usage(problems.join('\n'));
  return lists;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function rootOf(root: unknown, refuse: Refuse): RouteLists {
  const { listeners, ...others } = isObject(root) ? root : {};
  for (const name of Object.keys(others)) refuse([name], `there is no member ${name}; there is listeners`);
  if (!isObject(listeners))
    refuse(['listeners'], 'listeners must be an object: {"listeners": {"https": {"deny": []}}}');
  const entries = Object.entries(isObject(listeners) ? listeners : {}).map(([name, list]) => [
    name,
    listOf(name, list, refuse),
  ]);
  return { listeners: Object.fromEntries(entries) as RouteLists['listeners'] };
}

function listOf(listener: string, list: unknown, refuse: Refuse): RouteList {
  const at = ['listeners', listener];
  if (!LISTENERS.includes(listener)) refuse(at, `there is no listener ${listener}; there are ${LISTENERS.join(', ')}`);
  if (!isObject(list)) refuse(at, 'the lists of a listener must be an object with allow, deny or both');
  const { allow = null, deny = [], ...others } = isObject(list) ? list : {};
  for (const name of Object.keys(others)) refuse([...at, name], `there is no member ${name}; there are allow and deny`);
  if (allow !== null) checkPatterns([...at, 'allow'], allow, refuse);
  checkPatterns([...at, 'deny'], deny, refuse);
  return { allow: allow as RouteList['allow'], deny: deny as RouteList['deny'] };
}

function checkPatterns(at: JsonPath, patterns: unknown, refuse: Refuse): void {
  if (!Array.isArray(patterns)) return refuse(at, `${at.at(-1)} must be a list of patterns such as "GET /v1/**"`);
  for (const [index, pattern] of patterns.entries())
    if (typeof pattern !== 'string' || !PATTERN.test(pattern))
      refuse([...at, index], 'a pattern is a method or *, a space and a path, such as "GET /v1/**"');
}
