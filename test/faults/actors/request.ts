import { connect } from 'node:net';
import type { Outcome } from '../model/history.js';
import { outcomeOf } from './rest-caller.js';

/** Milliseconds for an answer. */
const ANSWER_MS = 8_000;

export interface Request {
  readonly method: 'GET' | 'PATCH' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: object;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  /** Of `Umbra-Revision`; null: there was none. */
  readonly revision: number | null;
  readonly isReplayed: boolean;
}

/** null: there was no answer. */
export async function send(url: string, request: Request, limitMs = ANSWER_MS): Promise<Answer | null> {
  const { method, path, headers = {}, body } = request;
  try {
    const response = await fetch(url + path, {
      method,
      headers,
      ...(body && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(limitMs),
    });
    const text = await response.text();
    const revision = response.headers.get('umbra-revision');
    const isReplayed = response.headers.has('idempotent-replayed');
    return { status: response.status, text, revision: revision === null ? null : Number(revision), isReplayed };
  } catch {
    return null;
  }
}

export const jsonOf = (answer: Answer | null): Record<string, unknown> =>
  answer === null || answer.text === '' ? {} : (JSON.parse(answer.text) as Record<string, unknown>);

/** What is known of a write after its answer. */
export const fateOf = (answer: Answer | null): Outcome =>
  answer === null ? 'maybe' : outcomeOf(answer.status, jsonOf(answer) as { type?: string });

/** A request that is written down now and comes to the node later: its sender was stopped, or the network has held it. */
export class HeldRequest {
  readonly #bytes: Buffer;

  constructor({ method, path, headers = {}, body = {} }: Request) {
    const text = JSON.stringify(body);
    const fields = {
      host: '127.0.0.1',
      connection: 'close',
      'content-length': String(Buffer.byteLength(text)),
      ...headers,
    };
    const head = Object.entries(fields).map(([name, value]) => `${name}: ${value}`);
    this.#bytes = Buffer.from([`${method} ${path} HTTP/1.1`, ...head, '', text].join('\r\n'));
  }

  /** Status of the answer; null: there was none. */
  async release(url: string): Promise<number | null> {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    const timer = setTimeout(() => socket.destroy(), ANSWER_MS);
    let text = '';
    socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
    socket.on('error', () => undefined);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write(this.#bytes);
    await closed;
    clearTimeout(timer);
    const status = /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1];
    return status === undefined ? null : Number(status);
  }
}
