import type { Auth } from '../../sdk/index.js';
import { checkName } from '../commands/context.js';
import { readContexts, type Contexts } from '../contexts.js';
import { CliError, EXIT, isUmbraError, usage } from '../exit-code.js';
import { readPolicyFile, type PolicyFile } from '../policy/policy-file.js';
import { Records } from '../records.js';
import type { Run, Session } from '../session.js';
import { serverOf } from '../session.js';
import { examine } from './doctor.js';
import { makeKey, withPlace } from './keys.js';
import { keep, whoIs, type Me } from './login.js';
import { createPrincipal, principalPath, type Principal } from './principals.js';

interface Given {
  readonly tenant?: string;
  readonly device?: string;
  readonly keyOut?: string;
  readonly policy?: string;
  readonly force?: true;
}

/** What has been found and made, for the answer. */
interface Done {
  readonly context: string;
  readonly server: string;
  readonly tenant: string | null;
  readonly principal: string | null;
  readonly made: string[];
}

const SERVER = 'http://127.0.0.1:8080';

/** `init`. @throws CliError, UmbraError */
export const init: Run = async (session, [wanted], options) => {
  const given = options as Given;
  const all = await readContexts(session.file);
  const name = wanted ?? session.options.context ?? 'default';
  checkName(name);
  if (given.device === undefined && (given.keyOut !== undefined || given.policy !== undefined))
    throw usage('--key-out and --policy are for --device');
  const policy = given.policy === undefined ? null : await readPolicyFile(session, given.policy);
  const { keyFile } = session.options;
  // Files are read before anything is sent.
  const fromFile = keyFile === undefined ? null : await session.keyOf(keyFile);
  await confirmReplacing(session, all, name);
  const server = await serverFrom(session);
  await checkServer(session, server);
  const { me, key } = await credentialFor(session, server, fromFile);
  const made: string[] = [];
  if (me === null) {
    if (given.tenant !== undefined || given.device !== undefined)
      throw usage('the service serves everybody: it has no tenants and devices to create');
    await keep(session, name, server, {}, null);
    return say(session, { context: name, server, tenant: null, principal: null, made });
  }
  const auth = await authOf(key);
  const tenant = await ensureTenant(session, server, auth, me, given, made);
  const of = tenant === me.tenant ? null : tenant;
  await keep(session, name, server, key === null ? {} : { key }, of);
  const records = new Records(await session.clientOf(server, auth), of, session.around.signal);
  await makeDevice(session, records, given, policy, made);
  await say(session, { context: name, server, tenant, principal: me.principal, made });
};

async function confirmReplacing(session: Session, { contexts }: Contexts, name: string): Promise<void> {
  if (Object.hasOwn(contexts, name))
    await session.confirm(`Replace the context ${name}, for ${contexts[name]!.server}?`);
}

/** Whether to ask what was not given: with `--yes` nothing is asked. */
const mayAsk = ({ around, options }: Session): boolean => around.isInteractive && options.yes !== true;

/** @throws CliError if the person gives up */
async function asked(session: Session, question: string, initial: string): Promise<string> {
  const answer = await (await session.around.prompts()).text(question, initial);
  if (answer === null) throw new CliError(EXIT.interrupted, 'interrupted');
  return answer.trim();
}

async function serverFrom(session: Session): Promise<string> {
  const { server } = session.options;
  if (server !== undefined) return serverOf(server);
  if (!mayAsk(session)) throw usage('give --server URL');
  return serverOf(await asked(session, 'Address of the service', SERVER));
}

/** As doctor does. A credential is not there yet. */
async function checkServer(session: Session, server: string): Promise<void> {
  const umbra = await session.clientOf(server, null, { retry: { attempts: 1 } });
  const { findings, exit } = await examine(session, { name: null, server, umbra });
  for (const { check, state, detail } of findings)
    if (state === 'failed' && check === 'server') throw new CliError(exit, `${server}: ${detail}`);
    else if (state === 'warning') await session.warn(check, `${check}: ${detail}`);
}

const authOf = async (key: string | null): Promise<Auth> => {
  const { anonymous, bearer } = await import('../../sdk/index.js');
  return key === null ? anonymous : bearer(key);
};

/** A key that the service takes. `me` null: it asks for none. */
async function credentialFor(
  session: Session,
  server: string,
  fromFile: string | null,
): Promise<{ me: Me | null; key: string | null }> {
  if (fromFile === null) {
    const open = await whoIs(session, server, await authOf(null)).catch((error: unknown) => {
      if (isUmbraError(error) && (error.status === 401 || error.code === 'no-route')) return error.status;
      throw error;
    });
    if (open === 404) return { me: null, key: null };
    if (open !== 401) return { me: open as Me, key: null };
    if (!mayAsk(session)) throw usage('the service asks for a key: give --key-file FILE, or - for stdin');
  }
  const key = fromFile ?? (await session.askKey());
  const me = await whoIs(session, server, await authOf(key)).catch((error: unknown) => {
    if (isUmbraError(error) && error.code === 'no-route') return null;
    throw error;
  });
  return { me, key: me === null ? null : key };
}

/** The tenant that the context is for. It is created if there is none. */
async function ensureTenant(
  session: Session,
  server: string,
  auth: Auth,
  me: Me,
  { tenant: given }: Given,
  made: string[],
): Promise<string> {
  const isAdmin = me.roles.includes('admin');
  const tenant = given ?? (isAdmin && mayAsk(session) ? await asked(session, 'Tenant', me.tenant) : me.tenant);
  if (tenant === me.tenant) return tenant;
  const records = new Records(await session.clientOf(server, auth), null, session.around.signal);
  if ((await records.get(['tenants', tenant])) !== null) return tenant;
  await records.put(['tenants', tenant], {}, null);
  made.push(`tenant ${tenant}`);
  return tenant;
}

async function makeDevice(
  session: Session,
  records: Records,
  given: Given,
  policy: PolicyFile | null,
  made: string[],
): Promise<void> {
  const isAsking = given.device === undefined && mayAsk(session);
  const device = isAsking ? await asked(session, 'First device; nothing for none', '') : (given.device ?? '');
  if (device === '') return;
  if ((await records.get<Principal>(principalPath(device))) !== null)
    throw new CliError(EXIT.conflict, `there is a device ${device} already; the context is kept`);
  const suggested = `${device}.key`;
  const out = given.keyOut ?? (isAsking ? await asked(session, 'File for its key', suggested) : suggested);
  await withPlace({ out, force: given.force }, async (place) => {
    if (policy !== null && (await records.get(['policies', policy.policy])) === null) {
      await records.put(['policies', policy.policy], policy.text, null);
      made.push(`policy ${policy.policy}`);
    }
    const policies = policy === null ? {} : { policy: [policy.policy] };
    await createPrincipal(records, device, { kind: 'device', thing: device, role: ['device'], ...policies });
    made.push(`device ${device}`);
    const { key, file } = await makeKey(records, device, {}, place);
    made.push(`key ${key} of ${device}, in ${file}`);
  });
}

const say = ({ out }: Session, done: Done): Promise<void> =>
  out.lines(done, [
    `${done.context} is the current context: ${done.server}`,
    done.principal === null
      ? 'the service asks for no credential'
      : `you are ${done.principal}, and administer the tenant ${done.tenant}`,
    ...done.made.map((each) => `made: ${each}`),
  ]);
