import type { Auth } from '../../sdk/index.js';
import { adviserFor, type Advise } from '../advise.js';
import { checkName } from '../commands/context.js';
import { readContexts, type Contexts } from '../contexts.js';
import { CliError, EXIT, isUmbraError, usage } from '../exit-code.js';
import { differencesOf } from '../difference.js';
import { readPolicyFile, type PolicyFile } from '../policy/policy-file.js';
import type { PolicyView } from '../policy/policy-records.js';
import { Records } from '../records.js';
import type { ReservedFile } from '../secret-file.js';
import type { Run, Session } from '../session.js';
import { serverOf } from '../session.js';
import { examine } from './doctor.js';
import { keyCommand, withoutKey } from './devices.js';
import { makeKey, withPlace, type Place } from './keys.js';
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
  readonly made: readonly string[];
}

/** The first device, and where its key goes. */
interface FirstDevice extends Place {
  readonly device: string;
}

/** How far it has come, for whoever has to go on from there. */
interface Progress {
  readonly made: string[];
  isContextKept: boolean;
  /** For the context that is kept. */
  readonly advise: Advise;
  /** How to go on where it cannot be carried out again; null: it can. */
  advice: string | null;
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
  if (me === null) {
    if (given.tenant !== undefined || given.device !== undefined)
      throw usage('the service serves everybody: it has no tenants and devices to create');
    await keep(session, name, server, {}, null);
    return say(session, { context: name, server, tenant: null, principal: null, made: [] });
  }
  // All questions come first: who gives up has changed nothing.
  const tenant = await tenantFrom(session, me, given);
  const first = await deviceFrom(session, given);
  const progress: Progress = { made: [], isContextKept: false, advise: adviserFor({ context: name }), advice: null };
  const of = tenant === me.tenant ? null : tenant;
  const make = async (place: ReservedFile | null): Promise<void> => {
    const auth = await authOf(key);
    if (of !== null) await ensureTenant(session, server, auth, of, progress);
    await keep(session, name, server, key === null ? {} : { key }, of);
    progress.isContextKept = true;
    const records = new Records(await session.clientOf(server, auth), of, session.around.signal);
    if (first !== null) await makeDevice(session, records, { ...first, policy, reserved: place! }, progress);
  };
  // Without a place for its key a device would be made in vain.
  await (first === null ? make(null) : withPlace(first, make)).catch(async (error: unknown) => {
    await tellMade(session, name, progress);
    throw error;
  });
  await say(session, { context: name, server, tenant, principal: me.principal, made: progress.made });
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

/** The tenant that the context is for. @throws CliError if the person gives up */
async function tenantFrom(session: Session, me: Me, { tenant }: Given): Promise<string> {
  if (tenant !== undefined) return tenant;
  return me.roles.includes('admin') && mayAsk(session) ? asked(session, 'Tenant', me.tenant) : me.tenant;
}

/** @returns null: none is wanted. @throws CliError if the person gives up */
async function deviceFrom(session: Session, given: Given): Promise<FirstDevice | null> {
  const isAsking = given.device === undefined && mayAsk(session);
  const device = isAsking ? await asked(session, 'First device; nothing for none', '') : (given.device ?? '');
  if (device === '') return null;
  const suggested = `${device}.key`;
  const out = given.keyOut ?? (isAsking ? await asked(session, 'File for its key', suggested) : suggested);
  return { device, out, force: given.force };
}

/** Creates the tenant if there is none. */
async function ensureTenant(
  session: Session,
  server: string,
  auth: Auth,
  tenant: string,
  { made }: Progress,
): Promise<void> {
  const records = new Records(await session.clientOf(server, auth), null, session.around.signal);
  if ((await records.get(['tenants', tenant])) !== null) return;
  await records.put(['tenants', tenant], {}, null);
  made.push(`tenant ${tenant}`);
}

async function makeDevice(
  session: Session,
  records: Records,
  first: FirstDevice & { readonly policy: PolicyFile | null; readonly reserved: ReservedFile },
  progress: Progress,
): Promise<void> {
  const { made, advise } = progress;
  const { device, policy, reserved } = first;
  if ((await records.get<Principal>(principalPath(device))) !== null) {
    progress.advice = `\`${keyCommand(advise, device, first)}\` makes another key for ${device}`;
    throw new CliError(EXIT.conflict, `there is a device ${device} already; the context is kept`);
  }
  if (policy !== null) await ensurePolicy(session, records, policy, progress);
  const policies = policy === null ? {} : { policy: [policy.policy] };
  await createPrincipal(records, device, { kind: 'device', thing: device, role: ['device'], ...policies });
  made.push(`device ${device}`);
  progress.advice = withoutKey(advise, device, first);
  const { key, file } = await makeKey({ session, records, advise }, device, {}, reserved);
  made.push(`key ${key} of ${device}, in ${file}`);
}

/** Creates the policy if there is none. One of the name with another document stays, which is told. */
async function ensurePolicy(
  session: Session,
  records: Records,
  { policy, text, document }: PolicyFile,
  { made, advise }: Progress,
): Promise<void> {
  const found = await records.get<PolicyView>(['policies', policy]);
  if (found === null) {
    await records.put(['policies', policy], text, null);
    made.push(`policy ${policy}`);
  } else if (differencesOf(found.record.document, document).length > 0)
    await session.warn(
      'other-policy',
      `there is another policy ${policy} already, which stays as it is, and the device gets it: ` +
        `see \`${advise('policy', 'get', policy)}\``,
    );
}

/** Says how far it has come before its error says why it has ended. */
async function tellMade(session: Session, name: string, progress: Progress): Promise<void> {
  const { made, isContextKept, advice } = progress;
  const all = [...made, ...(isContextKept ? [`the context ${name}, which is the current one`] : [])];
  if (all.length === 0) return;
  await session.warn('half-done', `made before it failed: ${all.join('; ')}`);
  await session.warn('go-on', advice ?? '`umbra init` goes on from there if it is carried out again');
}

const say = ({ out }: Session, done: Done): Promise<void> =>
  out.lines(done, [
    `${done.context} is the current context: ${done.server}`,
    done.principal === null
      ? 'the service asks for no credential'
      : `you are ${done.principal}, and administer the tenant ${done.tenant}`,
    ...done.made.map((each) => `made: ${each}`),
  ]);
