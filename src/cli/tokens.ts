import { dirname, join } from 'node:path';
import type { Fetch, Store } from '../sdk/index.js';
import { fileStore, oidc, type OidcSession } from '../sdk/auth/index.js';
import type { Context, Login } from './contexts.js';

/** Where the tokens of a login belong. */
export interface LoginPlace {
  /** Of the context. */
  readonly name: string;
  readonly server: string;
  /** Of the contexts; the tokens are in a folder beside it. */
  readonly file: string;
  readonly fetch: Fetch;
}

/** What the store has of a login. */
interface Tokens {
  readonly token: string;
  readonly refreshToken: string | null;
}

/** A login that was replaced. */
export interface FormerLogin {
  readonly context: Context | undefined;
  /** As the store had them; null: none. */
  readonly tokens: string | null;
}

const storeBeside = (file: string) => fileStore(join(dirname(file), 'tokens'));

/** The session of a login. All processes of the user share its tokens. @throws UmbraError invalid-argument */
export const loginOf = (login: Login, place: LoginPlace, store: Store = storeBeside(place.file)): OidcSession =>
  oidc({ ...login, url: place.server, fetch: place.fetch, store, storeKey: place.name });

/** A store of this process alone. */
function memoryStore(): Store {
  const texts = new Map<string, string>();
  return {
    get: (key) => Promise.resolve(texts.get(key) ?? null),
    set: (key, value) => Promise.resolve(void texts.set(key, value)),
    delete: (key) => Promise.resolve(void texts.delete(key)),
  };
}

/** A login that is under way. Until it is kept, the former one of its context is as it was. */
export interface NewLogin {
  readonly session: OidcSession;
  /**
   * Puts its tokens in the place of the former ones.
   * @param change makes the context one of this login, and returns what it was
   * @throws what `change` throws, and the error of the system
   */
  keep(change: () => Promise<Context | undefined>): Promise<FormerLogin>;
}

/** @throws UmbraError invalid-argument */
export function newLogin(login: Login, place: LoginPlace): NewLogin {
  const held = memoryStore();
  const { name, file } = place;
  const keep = (change: () => Promise<Context | undefined>): Promise<FormerLogin> => {
    const store = storeBeside(file);
    return store.lock(name, async () => {
      const tokens = await store.get(name);
      // At no moment do tokens stand beside a server or a provider that they are not for.
      await store.delete(name);
      const context = await change().catch(async (error: unknown) => {
        if (tokens !== null) await store.set(name, tokens);
        throw error;
      });
      await store.set(name, (await held.get(name)) ?? '');
      return { context, tokens };
    });
  };
  return { session: loginOf(login, place, held), keep };
}

/**
 * Ends a login that was replaced, at its provider as far as that can be reached.
 * @returns whether the new one still holds: some providers end all logins of a person at a client with one of them
 */
export async function endReplaced({ context, tokens }: FormerLogin, login: Login, place: LoginPlace): Promise<boolean> {
  const [former, fresh] = [tokensIn(tokens), tokensIn(await storeBeside(place.file).get(place.name))];
  if (context?.login === undefined || tokens === null || former === null) return true;
  // Two logins in one session of a browser, which would end with either.
  const session = sessionOf(former);
  if (session !== null && session === sessionOf(fresh)) return true;
  const held = memoryStore();
  await held.set(place.name, tokens);
  await ended(context.login, { ...place, server: context.server }, held);
  const isSame = context.login.issuer === login.issuer && context.login.clientId === login.clientId;
  if (!isSame || !former.refreshToken || !fresh?.refreshToken) return true;
  return renews(loginOf(login, place));
}

/** Ends the login of a context that has another credential now, or is gone. @throws the error of the system */
export async function endLogin(context: Context | undefined, place: Omit<LoginPlace, 'server'>): Promise<void> {
  const { name, file } = place;
  if (context?.login !== undefined) await ended(context.login, { ...place, server: context.server }, storeBeside(file));
  await storeBeside(file).delete(name);
}

/** Signs out, here and at the provider as far as that can be reached. No errors. */
async function ended(login: Login, place: LoginPlace, store: Store): Promise<void> {
  try {
    await loginOf(login, place, store).signOut();
  } catch {
    // What is not revoked there ends there by its time.
  }
}

async function renews(session: OidcSession): Promise<boolean> {
  const { signal } = new AbortController();
  try {
    await session.token(signal);
    await session.refresh(signal);
    return true;
  } catch (error) {
    // Whatever else has failed says nothing about the login.
    return (error as { code?: unknown }).code !== 'signed-out';
  } finally {
    session.close();
  }
}

function tokensIn(text: string | null): Tokens | null {
  try {
    return JSON.parse(text ?? 'null') as Tokens | null;
  } catch {
    return null;
  }
}

/** The session at the provider (`sid` of OpenID Connect Front-Channel Logout); null: the token does not say. */
function sessionOf(tokens: Tokens | null): string | null {
  const claims = tokens?.token.split('.')[1] ?? '';
  try {
    const { sid } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { sid?: unknown };
    return typeof sid === 'string' ? sid : null;
  } catch {
    return null;
  }
}
