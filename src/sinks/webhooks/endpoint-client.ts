import { lookup as resolve, type LookupAddress } from 'node:dns';
import { Agent as HttpAgent, request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { reasonOf } from '../../telemetry/reason.js';
import { VERSION } from '../../telemetry/version.js';
import type { ReachableAddresses } from './addresses.js';
import type { EndpointAnswer } from './answer.js';

/** Bounds of one request. */
export interface ClientLimits {
  /** Milliseconds until the connection stands, with TLS. */
  readonly connectMs: number;
  /** Milliseconds for everything. */
  readonly totalMs: number;
  /** Bytes of an answer that are read; its connection is closed after them. */
  readonly answerBytes: number;
}

export const CLIENT_LIMITS: ClientLimits = { connectMs: 5_000, totalMs: 15_000, answerBytes: 65_536 };

/** Milliseconds that an unused connection is kept. */
const IDLE_MS = 30_000;
/** Unused connections that are kept. */
const MAX_FREE = 8;

/** Which address it is would tell a tenant about the network of the nodes. */
const NOT_PUBLIC =
  'the name of the endpoint means an address that is not public, to which webhooks are not sent unless the operator allows it';

/** The URL must not be called. The message says why and what to change. */
export class RefusedUrl extends Error {
  override readonly name = 'RefusedUrl';
}

/**
 * The URL of a webhook.
 * @throws RefusedUrl for one that is never called: no URL, not http or https, with a password, to an address that is refused
 */
export function endpointUrl(text: string, reachable: ReachableAddresses): URL {
  if (!URL.canParse(text)) throw new RefusedUrl('the URL of a webhook must be one such as https://example.com/hook');
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw new RefusedUrl('the URL of a webhook must begin with https://');
  if (url.username !== '' || url.password !== '')
    throw new RefusedUrl('the URL of a webhook must not hold a user or a password');
  const host = hostOf(url);
  if (isIP(host) !== 0) checkAddress(host, url.protocol, reachable);
  return url;
}

/**
 * Posts to one endpoint and to nothing else: its addresses are checked as it connects, so that a name that means another
 * address a moment later leads nowhere. Certificates are verified, redirects are not followed.
 */
export class EndpointClient {
  readonly #agent: HttpAgent;
  readonly #request: typeof httpRequest;
  #closed = false;
  #told = '';

  /**
   * @param tell hears, for the operator alone, to which address requests cannot go and why; once for each reason
   * @throws RefusedUrl as `endpointUrl`
   */
  constructor(
    private readonly url: URL,
    private readonly reachable: ReachableAddresses,
    private readonly limits = CLIENT_LIMITS,
    private readonly tell: (reason: string) => void = () => undefined,
  ) {
    endpointUrl(url.href, reachable);
    const isTls = url.protocol === 'https:';
    const options = { keepAlive: true, maxFreeSockets: MAX_FREE, timeout: IDLE_MS };
    // Named, since NODE_TLS_REJECT_UNAUTHORIZED=0 would turn it off for everybody.
    this.#agent = isTls ? new HttpsAgent({ ...options, rejectUnauthorized: true }) : new HttpAgent(options);
    this.#request = isTls ? httpsRequest : httpRequest;
  }

  /**
   * One request.
   * @param headers of the message; those of every request are added
   * @throws Error whose message is for the tenant and names no address: no answer in time, no connection, one that is
   *   refused, a client that is closed
   */
  async post(body: string, headers: Readonly<Record<string, string>>): Promise<EndpointAnswer> {
    const bytes = Buffer.from(body);
    const own = {
      'content-type': 'application/json',
      'user-agent': `umbra/${VERSION}`,
      'content-length': bytes.length,
    };
    const send = (): Promise<EndpointAnswer> => this.#exchange(bytes, { ...headers, ...own });
    try {
      return await send();
    } catch (error) {
      // The endpoint closed a kept connection as the request left (RFC 9112 section 9.3.1): it says nothing about it.
      if (error instanceof StaleConnection && !this.#closed) return await send();
      throw error;
    }
  }

  /** Ends kept connections, and requests under way; nothing more is sent. No errors. */
  close(): void {
    this.#closed = true;
    this.#agent.destroy();
  }

  #exchange(body: Buffer, headers: Record<string, string | number>): Promise<EndpointAnswer> {
    if (this.#closed) return Promise.reject(new Error('the sink is closed'));
    return new Promise((resolve, reject) => {
      const { connectMs, totalMs } = this.limits;
      const request = this.#request(this.url, { method: 'POST', headers, agent: this.#agent, lookup: this.#lookup });
      let answer: EndpointAnswer | null = null;
      const give = (reason: string): void => void request.destroy(new Error(reason));
      const total = setTimeout(() => give(`no answer within ${totalMs} ms`), totalMs);
      const connect = setTimeout(() => give(`no connection within ${connectMs} ms`), connectMs);
      const end = (error: Error | null): void => {
        clearTimeout(total);
        clearTimeout(connect);
        // Of an answer whose body fails or does not end the status counts.
        if (answer) resolve(answer);
        else
          reject(
            isStale(request, error)
              ? new StaleConnection()
              : this.#shown(error ?? new Error('the connection was closed')),
          );
      };
      whenConnected(request, () => clearTimeout(connect));
      request.on('error', end);
      request.on('close', () => end(null));
      request.on('response', (response) => {
        const retryAfter = response.headers['retry-after'] ?? null;
        answer = { status: response.statusCode ?? 0, retryAfter };
        this.#drain(response, () => end(null));
      });
      request.end(body);
    });
  }

  #drain(response: IncomingMessage, ended: () => void): void {
    let bytes = 0;
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > this.limits.answerBytes) response.destroy();
    });
    response.on('error', ended);
    response.on('close', ended);
  }

  /** Resolves a name once, for the connection that is then made to what was checked here. */
  readonly #lookup: LookupFunction = (hostname, options, done) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return done(error, '');
      const usable = addresses.filter(({ address }) => this.#refusal(address) === null);
      const [first] = usable;
      if (!first) return done(this.#refused(addresses), '');
      if (options.all) done(null, usable);
      else done(null, first.address, first.family);
    });
  };

  /** Without the address that errors of Node name: a name may lead into the network of the nodes. */
  #shown(error: Error): Error {
    const { code, syscall = 'connect' } = error as NodeJS.ErrnoException;
    if (!('address' in error) && !(error instanceof AggregateError)) return error;
    this.#tell(error instanceof AggregateError ? error.errors.map(reasonOf).join(', ') : error.message);
    return new Error(`${syscall} ${code}`, { cause: error });
  }

  #tell(reason: string): void {
    if (this.#told === reason) return;
    this.#told = reason;
    this.tell(reason);
  }

  #refusal(address: string): string | null {
    try {
      checkAddress(address, this.url.protocol, this.reachable);
      return null;
    } catch (error) {
      return (error as RefusedUrl).message;
    }
  }

  #refused([first]: readonly LookupAddress[]): Error {
    if (!first) return new RefusedUrl('the name of the endpoint has no address');
    const reason = this.#refusal(first.address) ?? '';
    this.#tell(`${first.address}: ${reason}`);
    return new RefusedUrl(this.reachable.refusalOf(first.address) === null ? reason : NOT_PUBLIC);
  }
}

/** A request that failed on a connection which an earlier one had used. */
class StaleConnection extends Error {
  override readonly name = 'StaleConnection';

  constructor() {
    super('the endpoint closed the connection');
  }
}

function isStale({ reusedSocket }: ClientRequest, error: Error | null): boolean {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return reusedSocket && (code === 'ECONNRESET' || code === 'EPIPE');
}

function whenConnected(request: ClientRequest, connected: () => void): void {
  request.on('socket', (socket) => {
    if (!socket.connecting) return connected();
    socket.once('encrypted' in socket ? 'secureConnect' : 'connect', connected);
  });
}

/** The name or address without the brackets of IPv6. */
function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '');
}

function checkAddress(address: string, protocol: string, reachable: ReachableAddresses): void {
  const refusal = reachable.refusalOf(address);
  if (refusal !== null)
    throw new RefusedUrl(`${refusal}, to which webhooks are not sent unless the operator allows it`);
  if (protocol === 'http:' && !reachable.isNamed(address))
    throw new RefusedUrl('webhooks go over https, except to addresses that the operator has named');
}
