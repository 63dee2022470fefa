import { checkName, existing, serverFor } from '../commands/context.js';
import { changeContexts, readContexts, type Context, type Contexts, type Login } from '../contexts.js';
import { CliError, EXIT, usage } from '../exit-code.js';
import { printable } from '../printable.js';
import type { Auth } from '../../sdk/index.js';
import type { OidcSession } from '../../sdk/auth/index.js';
import type { Run, Session } from '../session.js';
import { endLogin, endReplaced, newLogin, type FormerLogin, type NewLogin } from '../tokens.js';
import { listen } from './loopback.js';

interface Given {
  readonly issuer?: string;
  readonly clientId?: string;
  readonly deviceCode?: true;
  readonly port?: number;
  readonly scope?: string;
  readonly resource?: string;
}

/** Who a credential belongs to, as the service says. */
export interface Me {
  readonly tenant: string;
  readonly principal: string;
  readonly roles: readonly string[];
  readonly expiresAt: string | null;
}

/** OpenID Connect Core, section 11: without it providers give no refresh token. */
const CONSENT = { prompt: 'consent' };
/** Milliseconds for the question who one is. */
const CHECK_MS = 10_000;

/** `login`. @throws CliError, UmbraError */
export const login: Run = async (session, [wanted], options) => {
  const { issuer, clientId, scope, resource, ...how } = options as Given;
  if ((issuer === undefined) !== (clientId === undefined)) throw usage('--issuer and --client-id go together');
  const all = await readContexts(session.file);
  const name = wanted ?? session.options.context ?? all.current ?? 'default';
  checkName(name);
  const server = serverFor(name, all, session.options.server);
  const lost = lostTenant(all, name, server);
  if (issuer === undefined || clientId === undefined) {
    if (how.deviceCode || how.port !== undefined) throw usage('--device-code and --port are for --issuer');
    return say(session, name, await loginByKey(session, name, server), lost);
  }
  if (session.options.keyFile !== undefined) throw usage('give --key-file or --issuer, not both');
  const provider = { issuer, clientId, ...(scope && { scope }), ...(resource && { resource }) };
  await say(session, name, await loginAt(session, name, server, provider, how), lost);
};

/** The tenant of a context that is for another server from now on; null: none is forgotten. */
function lostTenant({ contexts }: Contexts, name: string, server: string): string | null {
  const before = Object.hasOwn(contexts, name) ? contexts[name] : undefined;
  return before === undefined || before.server === server ? null : (before.tenant ?? null);
}

/** Checks a key, and keeps it in a context, which becomes the current one. @throws CliError, UmbraError */
export async function loginByKey(session: Session, name: string, server: string): Promise<Me> {
  const { keyFile } = session.options;
  if (keyFile === undefined && !session.around.isInteractive)
    throw usage('there is no terminal to ask for the key on: give --key-file FILE, or - for stdin');
  const key = keyFile === undefined ? await session.askKey() : await session.keyOf(keyFile);
  const { bearer } = await import('../../sdk/index.js');
  const me = await whoIs(session, server, bearer(key));
  await keep(session, name, server, { key });
  return me;
}

/** Who the credential belongs to. @throws UmbraError, 401 if it is refused */
export async function whoIs(session: Session, server: string, auth: Auth): Promise<Me> {
  const umbra = await session.clientOf(server, auth);
  const { text } = await umbra.call({ path: '/v1/auth/me', timeoutMs: CHECK_MS, signal: session.around.signal });
  return JSON.parse(text) as Me;
}

async function loginAt(session: Session, name: string, server: string, provider: Login, how: Given): Promise<Me> {
  const place = { name, server, file: session.file, fetch: session.around.fetch };
  const fresh = newLogin(provider, place);
  const [me, former] = await signedIn(session, fresh, name, server, provider, how).catch(async (error: unknown) => {
    // Tokens that the service does not take, or that nobody keeps, are of no use.
    await fresh.session.signOut().catch(() => undefined);
    throw error;
  });
  if (await endReplaced(former, provider, place)) return me;
  throw new CliError(
    EXIT.notSignedIn,
    `${provider.issuer} has ended this login together with the former one, which it replaces: sign in once more`,
  );
}

async function signedIn(
  session: Session,
  fresh: NewLogin,
  name: string,
  server: string,
  provider: Login,
  how: Given,
): Promise<[Me, FormerLogin]> {
  await (how.deviceCode ? byDeviceCode(session, fresh.session) : byBrowser(session, fresh.session, how.port ?? 0));
  const me = await whoIs(session, server, fresh.session);
  return [me, await fresh.keep(() => keep(session, name, server, { login: provider }))];
}

async function byDeviceCode({ around }: Session, auth: OidcSession): Promise<void> {
  const { signal, stderr } = around;
  const { userCode, verificationUri, verificationUriComplete, finish } = await auth.deviceCode({
    parameters: CONSENT,
    signal,
  });
  const lines = [`Open ${verificationUri} in a browser and type ${userCode}`];
  if (verificationUriComplete !== null) lines.push(`or open ${verificationUriComplete}`);
  await stderr.write(`${printable(lines.join('\n'))}\n`);
  await finish(signal);
}

async function byBrowser({ around }: Session, auth: OidcSession, port: number): Promise<void> {
  const { signal, stderr } = around;
  const loopback = await listen(port);
  try {
    const address = await auth.begin({ redirectUri: loopback.redirectUri, parameters: CONSENT, signal });
    const state = new URL(address).searchParams.get('state') ?? '';
    await stderr.write(`${printable(`Open this address in a browser on this machine:\n${address}`)}\n`);
    await auth.finish(await loopback.callback(state, signal), { signal });
  } finally {
    loopback.close();
  }
}

/**
 * Keeps a credential in a context, in the place of the one before, and makes it the current one.
 * @param of the tenant that the context is for; null: that of the credential; undefined: as it was, if the server is the same
 * @returns the context before. With a key its login is ended; without, that is for the caller.
 * @throws CliError
 */
export async function keep(
  { file, around }: Session,
  name: string,
  server: string,
  credential: Pick<Context, 'key' | 'login'>,
  of?: string | null,
): Promise<Context | undefined> {
  let before: Context | undefined;
  await changeContexts(file, ({ contexts }) => {
    before = Object.hasOwn(contexts, name) ? contexts[name] : undefined;
    const same = before?.server === server ? before.tenant : undefined;
    const tenant = of === undefined ? same : (of ?? undefined);
    const context = { server, ...(tenant !== undefined && { tenant }), ...credential };
    return { current: name, contexts: { ...contexts, [name]: context } };
  });
  if (credential.login === undefined) await endLogin(before, { name, file, fetch: around.fetch });
  return before;
}

async function say(
  session: Session,
  name: string,
  { tenant, principal, expiresAt }: Me,
  lost: string | null,
): Promise<void> {
  if (lost !== null)
    await session.warn(
      'tenant-forgotten',
      `the context ${name} was for the tenant ${lost} of the other server, which is forgotten`,
    );
  await session.out.say(
    { context: name, tenant, principal, expiresAt },
    `signed in as ${principal} of the tenant ${tenant}; ${name} is the current context`,
  );
}

/** `logout`. @throws CliError, UmbraError */
export const logout: Run = async (session, [wanted]) => {
  const { file, around, out } = session;
  const { name, context } = existing(await readContexts(file), wanted ?? session.options.context ?? null);
  await endLogin(context, { name, file, fetch: around.fetch });
  await changeContexts(file, (all) => {
    const { server, tenant } = existing(all, name).context;
    const left = { server, ...(tenant !== undefined && { tenant }) };
    return { ...all, contexts: { ...all.contexts, [name]: left } };
  });
  await out.say({ context: name, signedOut: true }, `signed out of ${name}`);
};
