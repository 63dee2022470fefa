import type { Clock, Fetch } from '../platform.js';
import { clientError, isEnd, type Outcome, UmbraError } from '../umbra-error.js';
import { linked, within } from '../within.js';
import { refusalOf } from './refusal.js';
import type { Answer, Call, Next } from './call.js';

export interface SendParts {
  /** Address of the service without a slash at its end; it may have a path. */
  readonly url: string;
  readonly fetch: Fetch;
  readonly clock: Clock;
  /** Milliseconds until the head of an answer has come, and then between its pieces. */
  readonly attemptTimeoutMs: number;
}

/** Characters of an answer. The largest of the service have a few MiB. */
const MAX_ANSWER = 33_554_432;

/** Errors of connections that were never made: nothing was sent. */
const NOT_SENT = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** The end of each chain: one request, and its answer as a value or as an error. */
export function sender({ url, fetch, clock, attemptTimeoutMs }: SendParts): Next {
  return async (call) => {
    const { path, method, signal, body, deadline } = call;
    const left = (): number => deadline - clock.monotonic();
    // A body that is a stream may be answered as slowly as it comes: the call alone bounds it.
    const ms = typeof body === 'object' ? Infinity : attemptTimeoutMs;
    const what = `${method} ${path.split('?', 1)[0]}`;
    checkHeaders(call);
    try {
      return await within({ clock, ms: Math.min(ms, left()), signals: [signal], what }, async (attempt, anew) => {
        const response = await fetch(url + path, initOf(call, attempt));
        if (call.isStream && response.ok) return streamed(response);
        return whole(response, call.isWrite, () => (ms < left() ? anew(ms, 'stalled') : anew(left())));
      });
    } catch (error) {
      throw failure(error, what, call.isWrite);
    }
  };
}

/** Fetch would name the value in its error, and it may be a credential. */
function checkHeaders({ headers }: Call): void {
  for (const name in headers)
    if (/[^\t -~\x80-\xff]/.test(headers[name]!))
      throw clientError('invalid-argument', `${name} has characters that no header may have, such as a line feed`);
}

function initOf({ method, headers, body, signal, isStream }: Call, attempt: AbortSignal): RequestInit {
  return {
    ...{ method, headers, redirect: 'error', credentials: 'omit', cache: 'no-store' },
    // Node and browsers ask for `duplex` with streams.
    ...(body !== undefined && { body, duplex: 'half' as const }),
    // The signal of a stream ends it while it is read too, long after its attempt. Its reader aborts it in the end.
    signal: isStream ? linked([signal, attempt], 'the stream').signal : attempt,
  };
}

const streamed = ({ status, headers, body }: Response): Answer => ({ status, headers, text: '', body });

/** @param came runs with the head and with each piece  @throws UmbraError for a refusal, and for an answer that is too large */
async function whole(response: Response, isWrite: boolean, came: () => void): Promise<Answer> {
  const { status, headers } = response;
  const text = await textOf(response, isWrite, came);
  if (response.ok || status === 304) return { status, headers, text, body: null };
  throw refusalOf(status, headers, text, isWrite);
}

async function textOf({ body, status }: Response, isWrite: boolean, came: () => void): Promise<string> {
  if (body === null) return '';
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  for (;;) {
    came();
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    text += decoder.decode(value, { stream: true });
    if (text.length <= MAX_ANSWER) continue;
    void reader.cancel().catch(() => undefined);
    const outcome = isWrite ? (status < 300 ? 'applied' : 'unknown') : 'not-applied';
    throw clientError('bad-answer', `the answer has more than ${MAX_ANSWER} characters`, { status, outcome });
  }
}

/** What went wrong on the way, as an UmbraError that says whether the request may have arrived. */
function failure(error: unknown, what: string, isWrite: boolean): UmbraError {
  const inDoubt: Outcome = isWrite ? 'unknown' : 'not-applied';
  if (error instanceof UmbraError) return isEnd(error) ? error.withOutcome(inDoubt) : error;
  const code = codeOf(error);
  const outcome = code !== null && NOT_SENT.has(code) ? 'not-applied' : inDoubt;
  const why = code ?? (error instanceof Error ? error.message : String(error));
  return clientError('unreachable', `${what}: no answer (${why})`, { retryable: true, outcome, cause: error });
}

/** The code of the error below that of fetch, if there is one: browsers tell none. */
function codeOf(error: unknown): string | null {
  for (let at = error, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth++) {
    const { code, errors } = at as { code?: unknown; errors?: unknown };
    if (typeof code === 'string') return code;
    // Of all addresses of a name that were tried.
    const first: unknown = Array.isArray(errors) ? errors[0] : undefined;
    if (first instanceof Error) return codeOf(first);
  }
  return null;
}
