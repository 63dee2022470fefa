import { sender } from '../../call/send.js';
import { objectOf } from '../../json.js';
import type { Platform } from '../../platform.js';
import { clientError } from '../../umbra-error.js';
import { secretOf, type Secret } from '../sources/secret.js';
import { postForm, requestOf, type FormAnswer } from '../token-request.js';

/** Milliseconds for one request to an issuer. */
const TIMEOUT_MS = 10_000;

export interface Client {
  /** As it is in the tokens of the issuer. */
  readonly issuer: string;
  readonly clientId: string;
  /** Of a client that can keep one; a page cannot. */
  readonly clientSecret?: Secret;
}

type Metadata = Readonly<Record<string, unknown>>;
type Endpoint = 'authorization' | 'token' | 'device_authorization' | 'revocation';

/** An OpenID provider, as its metadata describe it (OpenID Connect Discovery 1.0). */
export class Provider {
  readonly #client: Client;
  #metadata: Metadata | null = null;

  /** @throws UmbraError invalid-argument for an issuer that is no address with TLS */
  constructor(client: Client) {
    if (!isSafe(client.issuer))
      throw clientError('invalid-argument', 'issuer must be an https address, as it is in its tokens');
    this.#client = client;
  }

  /** null: the issuer has none. @throws UmbraError */
  async endpoint(name: Endpoint, platform: Platform, signal: AbortSignal): Promise<string | null> {
    const metadata = await this.metadata(platform, signal);
    const url = metadata[`${name}_endpoint`];
    if (url === undefined) return null;
    if (typeof url === 'string' && isSafe(url)) return url;
    throw clientError('bad-answer', `the issuer names a ${name} endpoint without TLS`);
  }

  /** Read once. @throws UmbraError */
  async metadata(platform: Platform, signal: AbortSignal): Promise<Metadata> {
    return (this.#metadata ??= await this.#read(platform, signal));
  }

  /**
   * Sends a form as the client.
   * @throws UmbraError; invalid-argument if the issuer has no such endpoint
   */
  async post(
    name: Endpoint,
    form: Readonly<Record<string, string>>,
    platform: Platform,
    signal: AbortSignal,
  ): Promise<FormAnswer> {
    const url = await this.endpoint(name, platform, signal);
    if (url === null) throw clientError('invalid-argument', `the issuer has no ${name} endpoint`);
    const { clientId: id, clientSecret } = this.#client;
    const secret = clientSecret === undefined ? null : await secretOf(clientSecret);
    const isBasic = secret !== null && (await this.#takesBasic(platform, signal));
    return postForm({
      ...{ url, platform, signal, timeoutMs: TIMEOUT_MS },
      form: isBasic ? form : { ...form, client_id: id, ...(secret !== null && { client_secret: secret }) },
      basic: isBasic ? { id, secret } : null,
    });
  }

  async #takesBasic(platform: Platform, signal: AbortSignal): Promise<boolean> {
    const methods = (await this.metadata(platform, signal))['token_endpoint_auth_methods_supported'];
    return !Array.isArray(methods) || methods.includes('client_secret_basic');
  }

  async #read(platform: Platform, signal: AbortSignal): Promise<Metadata> {
    const { issuer } = this.#client;
    const { origin, pathname } = new URL(issuer);
    const path = `${pathname.replace(/\/$/, '')}/.well-known/openid-configuration`;
    const send = sender({ url: origin, ...platform, attemptTimeoutMs: TIMEOUT_MS });
    const deadline = platform.clock.monotonic() + TIMEOUT_MS;
    const { text } = await send(requestOf('GET', path, { accept: 'application/json' }, deadline, signal));
    const metadata = objectOf(text);
    if (metadata?.['issuer'] === issuer) return metadata;
    throw clientError('bad-answer', `what is at ${origin}${path} is not the description of the issuer ${issuer}`);
  }
}

/** Whether it has TLS, or stays on this machine. */
function isSafe(url: string): boolean {
  const { protocol, hostname } = URL.canParse(url) ? new URL(url) : { protocol: '', hostname: '' };
  return protocol === 'https:' || (protocol === 'http:' && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname));
}
