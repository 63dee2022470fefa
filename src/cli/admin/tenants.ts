import { usage } from '../exit-code.js';
import type { Output } from '../output.js';
import { serviceRecordsOf, type RecordPath } from '../records.js';
import type { Run } from '../session.js';

/** A tenant as the service shows it. */
interface Tenant {
  readonly tenant: string;
  readonly title: string;
  readonly disabled: boolean;
  readonly account: string | null;
  readonly policies: readonly string[];
  readonly limits: Readonly<Record<string, number>>;
  readonly createdAt: string;
}

interface Given {
  readonly title?: string;
  readonly account?: string;
  readonly policy?: readonly string[] | false;
  readonly limit?: Readonly<Record<string, number>>;
  readonly disable?: true;
  readonly enable?: true;
}

const of = (name: string): RecordPath => ['tenants', name];

/** `tenant list`. @throws CliError, UmbraError */
export const list: Run = async (session) => {
  const records = await serviceRecordsOf(session);
  const head = ['TENANT', 'TITLE', 'STATE', 'CREATED'];
  await session.out.stream(records.list<Tenant>(['tenants'], 'tenants'), head, (each) => [
    each.tenant,
    each.title,
    stateOf(each),
    each.createdAt,
  ]);
};

/** `tenant show`. @throws CliError, UmbraError */
export const show: Run = async (session, [name = '']) => {
  const { record } = await (await serviceRecordsOf(session)).need<Tenant>(of(name));
  await say(session.out, record);
};

/** `tenant create`. @throws CliError, UmbraError */
export const create: Run = async (session, [name = ''], options) => {
  const records = await serviceRecordsOf(session);
  await say(session.out, (await records.put<Tenant>(of(name), membersOf(options), null)).record);
};

/** `tenant update`. @throws CliError, UmbraError */
export const update: Run = async (session, [name = ''], options) => {
  const members = membersOf(options);
  if (Object.keys(members).length === 0) throw usage('give what is to be changed, such as --title');
  const records = await serviceRecordsOf(session);
  const { record, etag } = await records.need<Tenant>(of(name));
  const { title, disabled, account, policies, limits } = record;
  const body = { title, disabled, account, policies, ...members, limits: { ...limits, ...members.limits } };
  await say(session.out, (await records.put<Tenant>(of(name), body, etag)).record);
};

/** `tenant delete`. @throws CliError, UmbraError */
export const remove: Run = async (session, [name = '']) => {
  await session.confirm(`Delete the tenant ${name}?`);
  await (await serviceRecordsOf(session)).remove(of(name));
  await session.out.say({ tenant: name, deleted: true }, `tenant ${name} is deleted`);
};

function membersOf(options: Readonly<Record<string, unknown>>): Partial<Tenant> {
  const { title, account, policy, limit, disable, enable } = options as Given;
  if (disable && enable) throw usage('give --disable or --enable, not both');
  return {
    ...(title !== undefined && { title }),
    ...(account !== undefined && { account }),
    ...(policy !== undefined && { policies: policy || [] }),
    ...(limit !== undefined && { limits: limit }),
    ...((disable ?? enable) && { disabled: disable === true }),
  };
}

const stateOf = ({ disabled }: { readonly disabled: boolean }): string => (disabled ? 'disabled' : 'enabled');

const say = (out: Output, tenant: Tenant): Promise<void> =>
  out.fields(tenant, [
    ['tenant', tenant.tenant],
    ['title', tenant.title],
    ['state', stateOf(tenant)],
    ['account', tenant.account],
    ['policies', tenant.policies.join(', ')],
    [
      'limits',
      Object.entries(tenant.limits)
        .map(([name, limit]) => `${name}=${limit}`)
        .join(', '),
    ],
    ['created', tenant.createdAt],
  ]);
