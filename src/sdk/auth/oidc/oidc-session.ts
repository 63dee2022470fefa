import { clientError, UmbraError } from '../../umbra-error.js';
import { linked, within } from '../../within.js';
import { AuthSession, type SessionOptions } from '../session/auth-session.js';
import { asUmbraError } from '../session/final-errors.js';
import type { TokenSource } from '../session/token-source.js';
import { grantOf } from '../token-request.js';
import { BegunLogins } from './begun-logins.js';
import { deviceCodeOf, polled, type DeviceLogin } from './device-login.js';
import { checkIdToken } from './id-token.js';
import { Provider, type Client } from './provider.js';

export interface OidcOptions extends SessionOptions, Client {
  /** Where the issuer sends the browser back to. */
  readonly redirectUri?: string;
  /** `openid offline_access` by default; without `offline_access` most issuers give no refresh token. */
  readonly scope?: string;
  /** The service, by the name that its registration of the issuer has among `audiences` (RFC 8707). */
  readonly resource?: string;
  /** More parameters of the requests for a login, such as `audience`. */
  readonly parameters?: Readonly<Record<string, string>>;
}

export interface BeginOptions {
  /** By default that of the session. */
  readonly redirectUri?: string;
  /** More parameters of this login, such as `login_hint` or `prompt`. */
  readonly parameters?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** Milliseconds for a step of a login: the store and some requests. */
const STEP_MS = 60_000;
const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code';

/** A session of somebody who signs in at an OpenID provider. */
export class OidcSession extends AuthSession {
  readonly #options: OidcOptions;
  readonly #provider: Provider;
  #begun: BegunLogins | null = null;

  /** @throws UmbraError invalid-argument for an issuer that is no address with TLS */
  constructor(options: OidcOptions) {
    const provider = new Provider(options);
    super(sourceOf(provider, options), options);
    this.#options = options;
    this.#provider = provider;
  }

  /**
   * Begins a login by authorization code and PKCE.
   * @returns the address to send the browser to; it comes back to `redirectUri`, whose address `finish` takes
   * @throws UmbraError
   */
  begin({ redirectUri = this.#options.redirectUri, parameters, signal }: BeginOptions = {}): Promise<string> {
    return this.#step(signal, async (ends) => {
      if (redirectUri === undefined) throw clientError('invalid-argument', 'say redirectUri');
      const { platform } = this;
      const address = await this.#provider.endpoint('authorization', platform, ends);
      if (address === null) throw clientError('bad-answer', 'the issuer has no authorization endpoint');
      const { newId, clock } = platform;
      const begun = { state: newId(), nonce: newId(), verifier: newId() + newId(), redirectUri, at: clock.now() };
      const url = new URL(address);
      const query = {
        ...{ ...this.#request, ...parameters },
        ...{ response_type: 'code', client_id: this.#options.clientId, redirect_uri: redirectUri },
        ...{ state: begun.state, nonce: begun.nonce },
        ...{ code_challenge: await challengeOf(begun.verifier), code_challenge_method: 'S256' },
      };
      for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
      await this.#logins.add(begun);
      return url.href;
    });
  }

  /**
   * Finishes a login, and signs the session in.
   * @param callback the address that the browser has come back to, with its query
   * @throws UmbraError; `access-denied` and others of OAuth: nobody has signed in
   */
  finish(callback: string | URL, { signal }: Pick<BeginOptions, 'signal'> = {}): Promise<void> {
    return this.#step(signal, async (ends) => {
      const query = new URL(callback).searchParams;
      const begun = await this.#logins.take(query.get('state') ?? '');
      if (!begun) throw clientError('invalid-argument', 'this login was not begun here, or has been finished');
      await this.#checkIssuer(query.get('iss'), ends);
      const code = query.get('code');
      if (!code || query.has('error')) throw refusedBy(query);
      const form = { code, redirect_uri: begun.redirectUri, code_verifier: begun.verifier };
      const answer = await this.#ask({ grant_type: 'authorization_code', ...form }, ends);
      if (this.#request.scope.split(' ').includes('openid'))
        checkIdToken(answer.body['id_token'], { ...this.#options, nonce: begun.nonce });
      await this.signIn(grantOf(answer));
    });
  }

  /**
   * Begins a login for which somebody uses a browser elsewhere (RFC 8628).
   * @throws UmbraError; invalid-argument if the issuer has no such logins
   */
  deviceCode({ parameters, signal }: Pick<BeginOptions, 'signal' | 'parameters'> = {}): Promise<DeviceLogin> {
    return this.#step(signal, async (ends) => {
      const { platform } = this;
      const form = { ...this.#request, ...parameters };
      const answer = await this.#provider.post('device_authorization', form, platform, ends);
      const { code: device_code, intervalMs, ...shown } = deviceCodeOf(answer);
      const end = platform.clock.monotonic() + shown.lifetimeMs;
      const finish = async (until?: AbortSignal): Promise<void> => {
        const control = linked([until], 'the login');
        const ask = () => this.#ask({ grant_type: DEVICE_CODE, device_code }, control.signal);
        try {
          await this.signIn(
            grantOf(await polled(ask, { intervalMs, end, clock: platform.clock, signal: control.signal })),
          );
        } finally {
          control.abort();
        }
      };
      return { ...shown, finish };
    });
  }

  get #request(): { readonly scope: string } {
    const { scope = 'openid offline_access', resource, parameters } = this.#options;
    return { ...parameters, scope, ...(resource !== undefined && { resource }) };
  }

  get #logins(): BegunLogins {
    const { store, clock } = this.platform;
    return (this.#begun ??= new BegunLogins(store, `${this.#options.storeKey ?? 'umbra.session'}.begun`, clock));
  }

  #ask(form: Readonly<Record<string, string>>, signal: AbortSignal) {
    return this.#provider.post('token', { ...form, ...resourceOf(this.#options) }, this.platform, signal);
  }

  /** RFC 9207: who answers is who was asked. */
  async #checkIssuer(found: string | null, signal: AbortSignal): Promise<void> {
    const metadata = await this.#provider.metadata(this.platform, signal);
    const isNeeded = metadata['authorization_response_iss_parameter_supported'] === true;
    if (found === this.#options.issuer || (found === null && !isNeeded)) return;
    throw clientError('bad-answer', 'another issuer has answered than was asked');
  }

  async #step<T>(signal: AbortSignal | undefined, task: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const limit = { clock: this.platform.clock, ms: STEP_MS, signals: [signal], what: 'the login' };
    return within(limit, task).catch((error: unknown) => {
      throw asUmbraError(error);
    });
  }
}

/**
 * Tokens of an OpenID provider, for somebody who signs in there: by `begin` and `finish`, or by `deviceCode`. The service
 * accepts them once its tenant has registered the issuer. They are renewed by the refresh token of the issuer.
 * @throws UmbraError invalid-argument for an issuer that is no address with TLS
 */
export const oidc = (options: OidcOptions): OidcSession => new OidcSession(options);

function sourceOf(provider: Provider, options: OidcOptions): TokenSource {
  return {
    isLogin: true,
    async renew({ platform, signal, refreshToken }) {
      if (refreshToken === null) throw clientError('signed-out', 'there is no refresh token: sign in');
      const form = { grant_type: 'refresh_token', refresh_token: refreshToken, ...resourceOf(options) };
      const grant = grantOf(await provider.post('token', form, platform, signal));
      // An issuer that does not replace them sends none.
      return { ...grant, refreshToken: grant.refreshToken ?? refreshToken };
    },
    async end({ platform, signal, refreshToken: token }) {
      if (token === null || (await provider.endpoint('revocation', platform, signal)) === null) return;
      await provider.post('revocation', { token, token_type_hint: 'refresh_token' }, platform, signal);
    },
  };
}

const resourceOf = ({ resource }: OidcOptions) => (resource === undefined ? {} : { resource });

/** Base64url of the SHA-256 (RFC 7636, S256). */
async function challengeOf(verifier: string): Promise<string> {
  const { subtle } = globalThis.crypto as Partial<typeof globalThis.crypto>;
  if (!subtle) throw clientError('invalid-argument', 'a page without TLS cannot begin a login');
  const digest = new Uint8Array(await subtle.digest('SHA-256', new TextEncoder().encode(verifier)));
  const text = btoa(String.fromCharCode(...digest));
  return text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** An error of the authorization endpoint (RFC 6749 section 4.1.2.1). */
function refusedBy(query: URLSearchParams): UmbraError {
  const code = query.get('error')?.replaceAll('_', '-');
  if (code === undefined) return clientError('bad-answer', 'the answer of the issuer has neither a code nor an error');
  const message = query.get('error_description') ?? `the issuer has answered ${code}`;
  return new UmbraError({ code, message });
}
