import { clientSecret, refreshToken, type AuthSession, type SessionOptions } from '../../src/sdk/auth/index.js';
import type { SessionState } from '../../src/sdk/auth/index.js';
import { ManualClock } from '../../src/sdk/testing/manual-clock.js';
import { scriptedFetch, type Sent } from '../../src/sdk/testing/scripted-fetch.js';
import type { UmbraError } from '../../src/sdk/umbra-error.js';

export const URL = 'https://umbra.example';
export const HOUR = 3_600_000;
export type Answer = () => Response | Promise<Response>;

export const oauthError =
  (status: number, error: string, code?: string, headers: Record<string, string> = {}): Answer =>
  () =>
    new Response(JSON.stringify({ error, error_description: error, code }), { status, headers });
export const never: Answer = () => new Promise(() => undefined);
export const cut: Answer = () => {
  throw new TypeError('fetch failed');
};
export const busy = oauthError(503, 'temporarily_unavailable');

/** A service whose token endpoint gives `T1`, `T2` and so on, unless told otherwise, and that takes the last one only. */
export class TokenService {
  readonly clock = new ManualClock();
  readonly states: SessionState[] = [];
  /** Answers of the token endpoint; then tokens come. */
  answers: Answer[] = [];
  policy: object = { gracePeriod: 0, forceRotate: false };
  ttl = 3_600;
  given = 0;
  /** Tokens that other routes accept; null: any. */
  accepted: ((token: string) => boolean) | null = null;
  underWay = 0;
  mostUnderWay = 0;
  tokenRequests = 0;
  readonly fetch = scriptedFetch((sent) => this.#answer(sent));

  #answer(sent: Sent): Response | Promise<Response> {
    if (sent.url.endsWith('/v1/auth/token')) return this.#token(sent);
    if (sent.url.endsWith('/v1/token-policy')) return this.#policy(sent);
    if (sent.url.endsWith('/v1/auth/revoke')) return new Response('{}');
    const token = sent.headers['authorization']?.slice('Bearer '.length) ?? '';
    if (this.accepted?.(token) ?? true) return new Response('{}');
    return new Response('{"type":"urn:umbra:problem:credentials-expired","code":"AUTH_103"}', { status: 401 });
  }

  #policy({ headers }: Sent): Response {
    const text = JSON.stringify(this.policy);
    if (headers['if-none-match'] === `"${text}"`) return new Response(null, { status: 304 });
    return new Response(text, { headers: { etag: `"${text}"` } });
  }

  async #token({ signal }: Sent): Promise<Response> {
    this.tokenRequests++;
    this.mostUnderWay = Math.max(this.mostUnderWay, ++this.underWay);
    const ended = new Promise<never>((_, reject) =>
      signal?.addEventListener('abort', () => reject(new Error('aborted'))),
    );
    try {
      return await Promise.race([(this.answers.shift() ?? this.#good)(), ended]);
    } finally {
      this.underWay--;
    }
  }

  readonly #good: Answer = () => {
    const n = ++this.given;
    const body = { access_token: `T${n}`, token_type: 'Bearer', expires_in: this.ttl, refresh_token: `R${n}` };
    return new Response(JSON.stringify(body), { headers: { date: new Date(this.clock.now()).toUTCString() } });
  };

  session(options: SessionOptions = {}, make = clientSecret): AuthSession {
    const made = make('dash', 'umk_secret', {
      url: URL,
      fetch: this.fetch,
      clock: this.clock,
      random: () => 0,
      ...options,
    });
    made.on('state', (state) => this.states.push(state));
    return made;
  }

  login(options: SessionOptions = {}): AuthSession {
    return this.session(options, (clientId, secret, more) =>
      refreshToken({ clientId, clientSecret: secret, refreshToken: 'R0', ...more }),
    );
  }

  /** The token for a call, or the error; lets time go on until there is one. */
  async token(session: AuthSession): Promise<string | UmbraError> {
    return this.ended(session.token(new AbortController().signal));
  }

  async ended<T>(promise: Promise<T>): Promise<T | UmbraError> {
    let result: { value: T | UmbraError } | undefined;
    promise.then(
      (value) => (result = { value }),
      (error: UmbraError) => (result = { value: error }),
    );
    await this.clock.advance(0);
    for (let step = 0; !result && step < 50; step++) await this.clock.advance(this.clock.next ?? 0);
    return result!.value;
  }

  async after(ms: number, session: AuthSession): Promise<string | UmbraError> {
    await this.clock.advance(ms);
    return this.token(session);
  }
}
