import { isLoopback } from '../../config/loopback.js';
import { reasonOf } from '../../telemetry/reason.js';

/** Bytes of an answer, after any compression. */
export const MAX_ANSWER_BYTES = 256 * 1024;
/** Milliseconds for the whole answer. */
const FETCH_MS = 5_000;

/**
 * Reads JSON of another server, which is trusted to name its keys and with nothing else: no redirects, a deadline for the
 * whole answer, and no more bytes than `MAX_ANSWER_BYTES`, whatever it says or sends.
 * @param signal ends the request early
 * @throws Error whose message is for the operator
 */
export async function fetchJson(url: string, signal: AbortSignal): Promise<unknown> {
  checkUrl(url);
  // Not AbortSignal.any() with AbortSignal.timeout(): Node 20 loses that at the next collection of garbage, and a request
  // whose answer never comes would never end.
  const limit = new AbortController();
  const stop = (): void => limit.abort();
  const timer = setTimeout(stop, FETCH_MS);
  signal.addEventListener('abort', stop);
  if (signal.aborted) stop();
  try {
    const text = await Promise.race([readText(url, limit.signal), end(limit.signal)]);
    return JSON.parse(text) as unknown;
  } catch (error) {
    const isLate = limit.signal.aborted && !signal.aborted;
    throw new Error(`${url}: ${isLate ? `no answer within ${FETCH_MS} ms` : causeOf(error)}`, { cause: error });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}

async function readText(url: string, signal: AbortSignal): Promise<string> {
  const headers = { accept: 'application/json', 'accept-encoding': 'identity' };
  const answer = await fetch(url, { headers, redirect: 'manual', signal });
  if (answer.status === 200) return boundedText(answer);
  await answer.body?.cancel();
  const isRedirect = answer.status >= 300 && answer.status < 400;
  throw new Error(isRedirect ? 'it answered with a redirect, which is not followed' : `status ${answer.status}`);
}

/** Rejects with the signal, also when fetch() has lost it. */
function end(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const rejected = (): void => reject(new Error('it was given up'));
    if (signal.aborted) rejected();
    else signal.addEventListener('abort', rejected, { once: true });
  });
}

/** @throws Error unless the URL is https, or http of this machine, without user and password */
export function checkUrl(url: string): void {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed === null) throw new Error(`${JSON.stringify(url.slice(0, 200))} is not a URL`);
  const { protocol, hostname, username, password } = parsed;
  if (username !== '' || password !== '') throw new Error(`The URL of ${hostname} must not hold a user or a password`);
  const isLocal = protocol === 'http:' && isLoopback(hostname.replace(/^\[|\]$/g, ''));
  if (protocol !== 'https:' && !isLocal) throw new Error(`${url} must begin with https://`);
}

async function boundedText(answer: Response): Promise<string> {
  const tooLong = (): Error => new Error(`it is longer than ${MAX_ANSWER_BYTES} bytes`);
  if (Number(answer.headers.get('content-length')) > MAX_ANSWER_BYTES) {
    await answer.body?.cancel();
    throw tooLong();
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  // Leaving the loop early cancels the stream, and with it the connection.
  for await (const chunk of answer.body ?? []) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) throw tooLong();
    chunks.push(chunk);
  }
  return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
}

/** The message of fetch() itself is always "fetch failed". */
function causeOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error ? cause.message || String((cause as NodeJS.ErrnoException).code) : reasonOf(error);
}
