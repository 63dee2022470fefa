import { dirname, join } from 'node:path';
import type { Fetch } from '../sdk/index.js';
import { fileStore, oidc, type OidcSession } from '../sdk/auth/index.js';
import type { Login } from './contexts.js';

/** Where the tokens of a login belong. */
export interface LoginPlace {
  /** Of the context. */
  readonly name: string;
  readonly server: string;
  /** Of the contexts; the tokens are in a folder beside it. */
  readonly file: string;
  readonly fetch: Fetch;
}

const storeBeside = (file: string) => fileStore(join(dirname(file), 'tokens'));

/** The session of a login. All processes of the user share its tokens. @throws UmbraError invalid-argument */
export const loginOf = (login: Login, { name, server, file, fetch }: LoginPlace): OidcSession =>
  oidc({ ...login, url: server, fetch, store: storeBeside(file), storeKey: name });

/** Removes the tokens of a context, if there are any. @throws the error of the system */
export const forgetTokens = (file: string, name: string): Promise<void> => storeBeside(file).delete(name);
