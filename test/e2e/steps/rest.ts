/** One answer of the REST API. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The parsed body, or undefined where it is no JSON. */
  readonly json: any; // eslint-disable-line @typescript-eslint/no-explicit-any -- tests look at any member
  /** Milliseconds from sending to the end of the answer. */
  readonly took: number;
}

/** Milliseconds; longer than any deadline of a node in the tests. */
const TIMEOUT_MS = 60_000;

export async function http(url: string, init: RequestInit = {}): Promise<Answer> {
  const start = Date.now();
  const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS), ...init });
  const text = await response.text();
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  return { status: response.status, headers: response.headers, text, json, took: Date.now() - start };
}

/** The AWS data plane of one node. */
export class Rest {
  constructor(readonly base: string) {}

  url(thing: string, name?: string): string {
    const query = name === undefined ? '' : `?name=${encodeURIComponent(name)}`;
    return `${this.base}/things/${encodeURIComponent(thing)}/shadow${query}`;
  }

  get(thing: string, name?: string): Promise<Answer> {
    return http(this.url(thing, name));
  }

  update(thing: string, body: unknown, name?: string): Promise<Answer> {
    return http(this.url(thing, name), {
      method: 'POST',
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  }

  delete(thing: string, name?: string): Promise<Answer> {
    return http(this.url(thing, name), { method: 'DELETE' });
  }

  list(thing: string): Promise<Answer> {
    return http(`${this.base}/api/things/shadow/ListNamedShadowsForThing/${encodeURIComponent(thing)}`);
  }

  ready(): Promise<Answer> {
    return http(`${this.base}/health/ready`);
  }

  live(): Promise<Answer> {
    return http(`${this.base}/health/live`);
  }
}
