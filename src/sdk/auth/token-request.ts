import type { Call } from '../call/call.js';
import { sender } from '../call/send.js';
import { objectOf } from '../json.js';
import type { Platform } from '../platform.js';
import { clientError } from '../umbra-error.js';
import type { Grant } from './session/token-source.js';

/** A call outside of the chain of a client. No errors. @param deadline milliseconds of the monotonic clock */
export function requestOf(
  method: Call['method'],
  path: string,
  headers: Call['headers'],
  deadline: number,
  signal: AbortSignal = new AbortController().signal,
): Call {
  const isWrite = method !== 'GET';
  return {
    name: path,
    method,
    path,
    headers,
    signal,
    deadline,
    attempt: 1,
    isWrite,
    isRepeatable: false,
    isStream: false,
  };
}

export interface FormRequest {
  /** With its path. */
  readonly url: string;
  readonly form: Readonly<Record<string, string>>;
  /** Who asks, as OAuth names and proves it; null: the form says so. */
  readonly basic: { readonly id: string; readonly secret: string } | null;
  readonly platform: Platform;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}

export interface FormAnswer {
  readonly body: Readonly<Record<string, unknown>>;
  /** Epoch milliseconds; null: the answer does not say, or a browser may not see it. */
  readonly serverTime: number | null;
}

/** Sends a form to an endpoint of OAuth. @throws UmbraError */
export async function postForm({ url, form, basic, platform, signal, timeoutMs }: FormRequest): Promise<FormAnswer> {
  const { origin, pathname, search } = new URL(url);
  const send = sender({ url: origin, ...platform, attemptTimeoutMs: timeoutMs });
  const headers = {
    'content-type': 'application/x-www-form-urlencoded',
    ...(basic && { authorization: `Basic ${btoa(`${formText(basic.id)}:${formText(basic.secret)}`)}` }),
  };
  const deadline = platform.clock.monotonic() + timeoutMs;
  const call = requestOf('POST', pathname + search, headers, deadline, signal);
  const answer = await send({ ...call, body: new URLSearchParams(form).toString() });
  const serverTime = Date.parse(answer.headers.get('date') ?? '');
  const body = objectOf(answer.text || '{}');
  if (body === null) throw clientError('bad-answer', 'the answer of the token endpoint is no JSON object');
  return { body, serverTime: Number.isNaN(serverTime) ? null : serverTime };
}

/** A grant by the token endpoint of an issuer. @throws UmbraError */
export const askToken = async (request: FormRequest): Promise<Grant> => grantOf(await postForm(request));

/** What a token endpoint has answered (RFC 6749 section 5.1). @throws UmbraError bad-answer */
export function grantOf({ body, serverTime }: FormAnswer): Grant {
  const { access_token: token, expires_in: seconds, refresh_token: refreshToken } = body;
  if (typeof token !== 'string') throw clientError('bad-answer', 'the answer of the token endpoint has no token');
  return {
    token,
    lifetimeMs: Number(seconds) > 0 ? Number(seconds) * 1_000 : null,
    refreshToken: typeof refreshToken === 'string' ? refreshToken : null,
    serverTime,
  };
}

/** RFC 6749 section 2.3.1: both are form-encoded before they become Basic. It is ASCII then. */
const formText = (text: string): string => encodeURIComponent(text);
