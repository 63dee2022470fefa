import type { Fetch } from '../platform.js';

/** A request as the library has sent it. */
export interface Sent {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly signal: AbortSignal | undefined;
}

export interface ScriptedFetch extends Fetch {
  /** All requests so far. */
  readonly sent: readonly Sent[];
}

/**
 * A `fetch` that asks `answer` for each request. An error that it throws fails the request; a promise that never settles
 * is a service that never answers.
 */
export function scriptedFetch(answer: (sent: Sent, index: number) => Response | Promise<Response>): ScriptedFetch {
  const sent: Sent[] = [];
  const fetch: Fetch = async (url, { method = 'GET', headers, body, signal }) => {
    const request: Sent = {
      ...{ url, method, headers: Object.fromEntries(new Headers(headers)) },
      body: typeof body === 'string' ? body : undefined,
      signal: signal ?? undefined,
    };
    sent.push(request);
    return abortable(Promise.resolve(answer(request, sent.length - 1)), signal ?? undefined);
  };
  return Object.assign(fetch, { sent });
}

function abortable(answer: Promise<Response>, signal: AbortSignal | undefined): Promise<Response> {
  if (!signal) return answer;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    answer.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
