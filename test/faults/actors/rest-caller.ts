import { stepOf, type History, type Outcome, type Section, type Told, type UpdateOp } from '../model/history.js';

/** Milliseconds for an answer: beyond what a node itself waits (UMBRA_REQUEST_TIMEOUT_MS). */
const ANSWER_MS = 8_000;
/** Problems that say that nothing was applied. */
const NOT_APPLIED = new Set([400, 404, 405, 409, 412, 413, 415, 422, 429]);

export interface Problem {
  readonly type?: string;
}

interface Document {
  readonly version: number;
  readonly state: { readonly desired?: Section; readonly reported?: Section; readonly delta?: Section };
}

export interface Target {
  readonly node: number;
  readonly url: string;
}

function path(shadow: string): string {
  const [thing = '', name] = shadow.split('/');
  return `/v1/things/${thing}/shadow${name === undefined ? '' : `?name=${name}`}`;
}

/** Sends one update or deletion and notes what is known of it afterwards. Never fails. */
export async function writeOverHttp(history: History, { url }: Target, op: UpdateOp, version?: number): Promise<void> {
  const deleted = op.kind === 'delete';
  const update = { state: { [op.section]: op.patch }, ...(version === undefined ? {} : { version }) };
  try {
    const response = await fetch(url + path(op.shadow), {
      method: deleted ? 'DELETE' : 'PATCH',
      body: JSON.stringify({ ...(deleted ? {} : update), clientToken: op.id }),
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    const answer = (await response.json()) as Problem & Partial<Document>;
    op.to = history.now();
    op.outcome = outcomeOf(response.status, answer);
    op.step =
      op.outcome === 'acked' && answer.version !== undefined ? stepOf({ version: answer.version, deleted }) : null;
    op.reason = `${response.status} ${answer.type ?? ''}`;
  } catch (error) {
    // Nobody listens there: nothing was sent.
    const refused = (error as { cause?: { code?: string } }).cause?.code === 'ECONNREFUSED';
    op.outcome = refused ? 'rejected' : 'maybe';
    op.reason = refused ? 'ECONNREFUSED' : String(error);
  }
}

/** What is known of a write after its answer. */
export function outcomeOf(status: number, { type = '' }: Problem): Outcome {
  if (status === 200) return 'acked';
  if (NOT_APPLIED.has(status)) return 'rejected';
  return status === 503 && !type.endsWith('outcome-unknown') ? 'rejected' : 'maybe';
}

export type Read = { readonly told: Told | null; readonly delta: Section | null };

/** @throws Error when there is no answer that tells */
export async function readOverHttp(url: string, shadow: string, timeoutMs = ANSWER_MS): Promise<Read> {
  const response = await fetch(url + path(shadow), { signal: AbortSignal.timeout(timeoutMs) });
  const answer = (await response.json()) as Document;
  if (response.status === 404) return { told: null, delta: null };
  if (response.status !== 200) throw new Error(`status ${response.status}`);
  return { told: toldOf(answer), delta: answer.state.delta ?? null };
}

export function toldOf({ version, state }: Document): Told {
  return { version, desired: state.desired ?? {}, reported: state.reported ?? {} };
}

export interface ThingRow {
  readonly thing: string;
  readonly classic: boolean;
  readonly names: readonly string[];
}

/** All pages of one of the lists, whose members are named differently. @throws Error when there is no answer that tells */
async function pages<T>(
  url: string,
  size: string,
  after: string,
  next: string,
  rows: (page: T) => void,
): Promise<void> {
  let token = '';
  do {
    const answer = await fetch(`${url}?${size}${token}`, { signal: AbortSignal.timeout(ANSWER_MS) });
    const page = (await answer.json()) as Record<string, unknown>;
    if (answer.status !== 200) throw new Error(`status ${answer.status}`);
    rows(page as T);
    token = page[next] === undefined ? '' : `&${after}=${encodeURIComponent(String(page[next]))}`;
  } while (token !== '');
}

/** GET /v1/things */
export async function listThings(url: string, limit: number): Promise<ThingRow[]> {
  const things: ThingRow[] = [];
  await pages<{ things: ThingRow[] }>(`${url}/v1/things`, `limit=${limit}`, 'after', 'next', (page) =>
    things.push(...page.things),
  );
  return things;
}

/** GET /v1/things/{thing}/shadows. Each page tells of the classic shadow anew; the last one counts. */
export async function listShadows(url: string, thing: string, limit: number): Promise<ThingRow> {
  const names: string[] = [];
  let classic = false;
  await pages<ThingRow>(`${url}/v1/things/${thing}/shadows`, `limit=${limit}`, 'after', 'next', (page) => {
    names.push(...page.names);
    classic = page.classic;
  });
  return { thing, classic, names };
}

/** ListNamedShadowsForThing */
export async function listNamed(url: string, thing: string, limit: number): Promise<string[]> {
  const names: string[] = [];
  const path = `${url}/api/things/shadow/ListNamedShadowsForThing/${thing}`;
  await pages<{ results: string[] }>(path, `pageSize=${limit}`, 'nextToken', 'nextToken', ({ results }) =>
    names.push(...results),
  );
  return names;
}

/** What /health/ready says; null when nobody answers within a second. */
export async function askReady(url: string): Promise<boolean | null> {
  try {
    const response = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(1_000) });
    await response.arrayBuffer();
    return response.status === 200;
  } catch {
    return null;
  }
}
