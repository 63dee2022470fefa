import { clientError } from '../umbra-error.js';
import type { Call } from './call.js';

/** What a caller may say of each call. */
export interface CallOptions {
  /** Ends the call, and all its attempts. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds for the call with all its attempts. */
  readonly timeoutMs?: number | undefined;
}

export type QueryValue = string | number | boolean | undefined;
export type Query = Readonly<Record<string, QueryValue | readonly QueryValue[]>>;

/** A call of any route. */
export interface Request extends CallOptions {
  /** For logs and spans; by default the method. */
  readonly name?: string | undefined;
  /** GET by default. */
  readonly method?: Call['method'] | undefined;
  /** Encoded, without a query. */
  readonly path: string;
  /** A value that is undefined is left out; each value of a list is given. */
  readonly query?: Query | undefined;
  /** Names in small letters. They replace those of the library. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Sent as JSON; a string as it is, and so is a stream, once: such a call is never repeated. */
  readonly body?: unknown;
  /** Of a write: that of the headers, or a new one by default; null for a route that takes none. */
  readonly idempotencyKey?: string | null | undefined;
}

/** The address without a slash at its end. @throws UmbraError invalid-argument */
export function addressOf(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  const isRight = parsed && /^https?:$/.test(parsed.protocol) && parsed.search === '' && parsed.hash === '';
  if (!isRight || parsed.username !== '' || parsed.password !== '')
    throw clientError('invalid-argument', `url must be like https://umbra.example, without user, query and fragment`);
  return parsed.href.replace(/\/+$/, '');
}

/** With its question mark, or empty. No errors. */
export function queryOf(query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const each of Array.isArray(value) ? (value as readonly QueryValue[]) : [value as QueryValue])
      if (each !== undefined) search.append(name, String(each));
  }
  // Signed requests may have no +, which some read as a space.
  return search.size === 0 ? '' : `?${search.toString().replaceAll('+', '%20')}`;
}

/** The body and what it is. @throws UmbraError invalid-argument for what JSON cannot hold */
export function bodyOf(body: unknown): { headers: Record<string, string>; body: Call['body'] | undefined } {
  if (body === undefined) return { headers: {}, body: undefined };
  const headers = { 'content-type': 'application/json' };
  if (typeof body === 'string' || body instanceof ReadableStream) return { headers, body };
  try {
    return { headers, body: JSON.stringify(body) };
  } catch (error) {
    throw clientError('invalid-argument', 'the body cannot be written as JSON', { cause: error });
  }
}
