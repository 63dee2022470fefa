import { CliError, EXIT, usage } from '../exit-code.js';
import type { Output } from '../output.js';
import { recordsOf, type Kept, type RecordPath, type Records } from '../records.js';
import type { Run } from '../session.js';
import { keysOf } from './keys.js';

/** A principal as the service shows it. */
export interface Principal {
  readonly principal: string;
  readonly kind: 'device' | 'person' | 'service';
  readonly disabled: boolean;
  readonly thing: string | null;
  readonly thingType: string | null;
  readonly attributes: Readonly<Record<string, string>>;
  readonly roles: readonly string[];
  readonly policies: readonly string[];
  readonly groups: readonly string[];
  readonly createdAt: string;
}

/** The options of all commands about principals. */
interface Given {
  readonly tenant?: string;
  readonly kind?: Principal['kind'];
  readonly thing?: string;
  readonly thingType?: string;
  readonly attribute?: Readonly<Record<string, string>>;
  readonly role?: readonly string[] | false;
  readonly policy?: readonly string[] | false;
  /** Of `list`: a single one. */
  readonly group?: readonly string[] | string | false;
  readonly disable?: true;
  readonly enable?: true;
}

/** The path of a principal, below the base of its tenant. No errors. */
export const principalPath = (id: string): RecordPath => ['principals', id];

/** @throws CliError, UmbraError */
const listed =
  (only?: Principal['kind']): Run =>
  async (session, _, options) => {
    const { kind = only, group, tenant } = options as Given;
    const records = await recordsOf(session, tenant);
    const head = ['CLIENT', 'KIND', 'THING', 'ROLES', 'POLICIES', 'GROUPS', 'STATE'];
    await session.out.stream(chosen(records, kind, group as string | undefined), head, (each) => [
      ...[each.principal, each.kind, each.thing ?? '', each.roles.join(', '), each.policies.join(', ')],
      ...[each.groups.join(', '), stateOf(each)],
    ]);
  };

async function* chosen(records: Records, kind: Principal['kind'] | undefined, group: string | undefined) {
  for await (const each of records.list<Principal>(['principals'], 'principals', { group }))
    if (kind === undefined || each.kind === kind) yield each;
}

/** `client list`. @throws CliError, UmbraError */
export const list: Run = listed();

/** `device list`. @throws CliError, UmbraError */
export const listDevices: Run = listed('device');

/** The principal, where only one of a kind is meant: `device` changes no person. @throws CliError, UmbraError */
async function chosenOne(records: Records, id: string, only?: Principal['kind']): Promise<Kept<Principal>> {
  const found = await records.need<Principal>(principalPath(id));
  if (only !== undefined && found.record.kind !== only) throw otherKind(found.record);
  return found;
}

/** What `device` says of a person or a service. No errors. */
export const otherKind = ({ principal, kind }: Principal): CliError =>
  new CliError(EXIT.notFound, `${principal} is a ${kind} and no device: see \`umbra client\``);

/** @throws CliError, UmbraError */
const shown =
  (only?: Principal['kind']): Run =>
  async (session, [id = ''], options) => {
    const records = await recordsOf(session, (options as Given).tenant);
    const { record } = await chosenOne(records, id, only);
    const keys = await keysOf(records, id);
    await session.out.fields({ ...record, keys }, [...rowsOf(record), ['keys', keys.map((key) => key.id).join(', ')]]);
  };

/** `client show`. @throws CliError, UmbraError */
export const show: Run = shown();

/** `device show`. @throws CliError, UmbraError */
export const showDevice: Run = shown('device');

/** `client create`. @throws CliError, UmbraError */
export const create: Run = async (session, [id = ''], options) => {
  const records = await recordsOf(session, (options as Given).tenant);
  await say(session.out, await createPrincipal(records, id, options));
};

/** Creates what the options say. @throws CliError, UmbraError */
export async function createPrincipal(
  records: Records,
  id: string,
  options: Readonly<Record<string, unknown>>,
): Promise<Principal> {
  return (await records.put<Principal>(principalPath(id), membersOf(options as Given), null)).record;
}

/** @throws CliError, UmbraError */
const updated =
  (only?: Principal['kind']): Run =>
  async (session, [id = ''], options) => {
    const members = membersOf(options as Given);
    if (Object.keys(members).length === 0) throw usage('give what is to be changed, such as --role');
    const records = await recordsOf(session, (options as Given).tenant);
    const { record: now, etag } = await chosenOne(records, id, only);
    const { kind, disabled, thing, thingType, attributes, roles, policies, groups } = now;
    const before = { kind, disabled, thing, thingType, roles, policies, groups };
    const body = { ...before, ...members, attributes: { ...attributes, ...members.attributes } };
    await say(session.out, (await records.put<Principal>(principalPath(id), body, etag)).record);
  };

/** `client update`. @throws CliError, UmbraError */
export const update: Run = updated();

/** `device update`. @throws CliError, UmbraError */
export const updateDevice: Run = updated('device');

/** @throws CliError, UmbraError */
const removed =
  (only?: Principal['kind']): Run =>
  async (session, [id = ''], options) => {
    await session.confirm(`Delete ${id} and its keys?`);
    const records = await recordsOf(session, (options as Given).tenant);
    if (only !== undefined) await chosenOne(records, id, only);
    await records.remove(principalPath(id));
    await session.out.say({ principal: id, deleted: true }, `${id} is deleted`);
  };

/** `client delete`. @throws CliError, UmbraError */
export const remove: Run = removed();

/** `device delete`. @throws CliError, UmbraError */
export const removeDevice: Run = removed('device');

function membersOf(given: Given): Partial<Principal> {
  const { kind, thing, thingType, attribute, role, policy, group, disable, enable } = given;
  if (disable && enable) throw usage('give --disable or --enable, not both');
  return {
    ...(kind !== undefined && { kind }),
    ...(thing !== undefined && { thing }),
    ...(thingType !== undefined && { thingType }),
    ...(attribute !== undefined && { attributes: attribute }),
    ...(role !== undefined && { roles: role || [] }),
    ...(policy !== undefined && { policies: policy || [] }),
    ...(group !== undefined && { groups: (group || []) as readonly string[] }),
    ...((disable ?? enable) && { disabled: disable === true }),
  };
}

const stateOf = ({ disabled }: Principal): string => (disabled ? 'disabled' : 'enabled');

/** What people are shown of a principal. No errors. */
export const rowsOf = (each: Principal): (readonly [string, string | null])[] => [
  ['client', each.principal],
  ['kind', each.kind],
  ['state', stateOf(each)],
  ['thing', each.thing],
  ['thing type', each.thingType],
  [
    'attributes',
    Object.entries(each.attributes)
      .map(([name, value]) => `${name}=${value}`)
      .join(', '),
  ],
  ['roles', each.roles.join(', ')],
  ['policies', each.policies.join(', ')],
  ['groups', each.groups.join(', ')],
  ['created', each.createdAt],
];

const say = (out: Output, principal: Principal): Promise<void> => out.fields(principal, rowsOf(principal));
