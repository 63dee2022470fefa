import { scriptedFetch, type ScriptedFetch, type Sent } from '../../sdk/testing/index.js';

/** What a route answers: a body, with 200, or a status and a body. */
type Answer = object | readonly [status: number, body: object | null];

export interface ScriptedService extends ScriptedFetch {
  /** What was asked for: method, path with query, and the body that was sent, if any. */
  readonly asked: readonly (readonly [route: string, body?: unknown])[];
}

/**
 * A service whose routes answer as they are told; any other is 404.
 * @param routes by method and path with query, such as `GET /v1/tenants?limit=100`
 */
export function scriptedService(routes: Readonly<Record<string, Answer | ((sent: Sent) => Answer)>>): ScriptedService {
  const asked: [string, unknown?][] = [];
  const fetch = scriptedFetch((sent) => {
    const { pathname, search } = new URL(sent.url);
    const route = `${sent.method} ${pathname}${search}`;
    asked.push(sent.body === undefined ? [route] : [route, bodyOf(sent.body)]);
    const found = Object.hasOwn(routes, route) ? routes[route]! : problem(404, 'no-record');
    const answer = typeof found === 'function' ? found(sent) : found;
    const [status, body] = Array.isArray(answer) ? (answer as [number, object | null]) : [200, answer];
    return new Response(body === null ? null : JSON.stringify(body), {
      status,
      headers: { etag: '"7"', date: new Date().toUTCString() },
    });
  });
  return Object.assign(fetch, { asked });
}

/** A refusal by the service. No errors. */
export const problem = (status: number, type: string, more: object = {}): readonly [number, object] => [
  status,
  { type: `urn:umbra:problem:${type}`, title: type, status, detail: `${type}.`, ...more },
];

function bodyOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
