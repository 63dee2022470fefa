import { builtin } from '../builtin.js';
import type { Fetch } from '../platform.js';
import { clientError } from '../umbra-error.js';
import { identityCheck, MISMATCH } from './pins.js';
import type { TlsOptions } from './tls-options.js';

/** What is used of `node:https` and `node:stream`. */
interface Https {
  Agent: new (options: object) => object;
  request(url: string, options: object, answered: (message: Incoming) => void): Outgoing;
}
interface Incoming {
  readonly statusCode?: number;
  readonly statusMessage?: string;
  readonly rawHeaders: readonly string[];
  resume(): void;
  destroy(): void;
}
interface Outgoing {
  on(event: 'error', listener: (error: Error) => void): this;
  end(body?: string): void;
  destroy(error: Error): void;
}
interface Streams {
  Readable: {
    toWeb(readable: Incoming): ReadableStream<Uint8Array>;
    fromWeb(stream: ReadableStream): {
      on(event: 'error', listener: (error: Error) => void): { pipe(to: Outgoing): void };
    };
  };
}

/** Statuses whose answers have no body. */
const EMPTY = new Set([204, 205, 304]);

/**
 * `fetch` with certificates and keys of one's own choice, over connections that are kept. It follows no redirects, and
 * sends texts and streams alone. For Node, whose own `fetch` takes such options only through a package.
 * @throws UmbraError invalid-argument for a pin that is none, for a certificate or key that cannot be read, and elsewhere
 * than on Node
 */
export function tlsFetch({ pins, ...options }: TlsOptions): Fetch {
  const [https, streams] = [builtin<Https>('node:https'), builtin<Streams>('node:stream')];
  if (!https || !streams) throw clientError('invalid-argument', 'browsers choose certificates themselves');
  checkPair(options);
  const agent = new https.Agent({
    ...options,
    // Without it, NODE_TLS_REJECT_UNAUTHORIZED=0 leaves the check without effect.
    ...(pins && { checkServerIdentity: identityCheck(pins), rejectUnauthorized: true }),
    keepAlive: true,
    // Node does not check the identity of a session that is resumed.
    maxCachedSessions: 0,
  });
  return (url, { method, headers, body, signal }) =>
    new Promise((resolve, reject) => {
      const given = Object.fromEntries(new Headers(headers));
      const sent = https.request(
        url,
        { method, agent, ...(signal && { signal }), headers: { accept: '*/*', ...given } },
        (message) => {
          try {
            resolve(responseOf(message, streams));
          } catch (error) {
            message.destroy();
            reject(error as Error);
          }
        },
      );
      sent.on('error', (error) => reject(mismatchOf(error) ?? error));
      if (body instanceof ReadableStream)
        streams.Readable.fromWeb(body)
          .on('error', (error) => sent.destroy(error))
          .pipe(sent);
      else sent.end(typeof body === 'string' ? body : undefined);
    });
}

/** @throws TypeError for a redirect, and for what no Response can be made of, such as a status beyond 599 */
function responseOf(message: Incoming, { Readable }: Streams): Response {
  const { statusCode: status = 0 } = message;
  if (status >= 300 && status < 400 && status !== 304) throw new TypeError('the answer is a redirect');
  if (status < 200 || status > 599) throw new TypeError(`the answer has the status ${status}`);
  const headers = headersOf(message);
  if (!EMPTY.has(status)) return new Response(Readable.toWeb(message), { status, headers });
  message.resume();
  return new Response(null, { status, headers });
}

/** A server with another key was told nothing. null: it is something else. */
function mismatchOf(error: Error): Error | null {
  if ((error as { code?: unknown }).code !== MISMATCH) return null;
  return clientError('unreachable', `${error.message} (${MISMATCH})`, { retryable: true, cause: error });
}

function headersOf({ rawHeaders }: Incoming): Headers {
  const headers = new Headers();
  for (let at = 0; at < rawHeaders.length; at += 2) headers.append(rawHeaders[at]!, rawHeaders[at + 1]!);
  return headers;
}

/** Now, and not at the first request. The error of OpenSSL may quote a key, and is left out. */
function checkPair({ ca, cert, key, passphrase }: TlsOptions): void {
  if ((cert === undefined) !== (key === undefined))
    throw clientError('invalid-argument', 'cert and key go together: give both or none');
  try {
    builtin<{ createSecureContext(options: object): object }>('node:tls')?.createSecureContext({
      ...{ ca, cert, key, passphrase },
    });
  } catch {
    throw clientError('invalid-argument', 'ca, cert or key is no PEM that can be read, or they do not go together');
  }
}
