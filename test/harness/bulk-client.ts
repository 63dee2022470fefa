import { once } from 'node:events';
import { request, type ClientRequest, type IncomingMessage } from 'node:http';

/** One line of an answer of POST /v1/bulk. */
export interface BulkAnswerLine {
  readonly line?: number;
  readonly id?: string;
  readonly version?: number;
  readonly revision?: number;
  readonly replayed?: true;
  readonly error?: { readonly type: string; readonly status: number; readonly code?: string; readonly detail: string };
  readonly end?: {
    readonly reason: string;
    readonly message?: string;
    readonly lines: number;
    readonly changed: number;
    readonly replayed: number;
    readonly refused: number;
  };
}

/** A bulk request that is under way: lines go out, and results come in as they are asked for. */
export class BulkClient {
  readonly #request: ClientRequest;
  readonly #answer: Promise<IncomingMessage>;

  constructor(url: string, headers: Record<string, string> = {}) {
    this.#request = request(`${url}/v1/bulk`, { method: 'POST', headers, agent: false });
    this.#request.on('error', () => undefined);
    this.#answer = new Promise((resolve, reject) => this.#request.on('response', resolve).on('error', reject));
    this.#answer.catch(() => undefined);
    this.#request.flushHeaders();
  }

  /** Bytes that wait in this process because the node does not read. */
  get unsent(): number {
    return this.#request.writableLength;
  }

  /** False: the node reads no more for now. */
  send(...lines: readonly (object | string)[]): boolean {
    return this.#request.write(
      lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join(''),
    );
  }

  async drained(): Promise<void> {
    if (this.#request.writableNeedDrain) await once(this.#request, 'drain');
  }

  /** The body is over. */
  end(): void {
    this.#request.end();
  }

  /** Leaves without a word. */
  cut(): void {
    this.#request.destroy();
  }

  /** The results as they come, to the end of the answer or of the connection. */
  async *results(): AsyncGenerator<BulkAnswerLine> {
    let rest = '';
    try {
      for await (const chunk of await this.#answer) {
        const lines = (rest + String(chunk)).split('\n');
        rest = lines.pop()!;
        for (const line of lines) yield JSON.parse(line) as BulkAnswerLine;
      }
    } catch {
      // Cut off.
    }
  }

  async all(): Promise<BulkAnswerLine[]> {
    const all: BulkAnswerLine[] = [];
    for await (const result of this.results()) all.push(result);
    return all;
  }

  async head(): Promise<IncomingMessage> {
    return this.#answer;
  }
}

/** Sends all lines and reads the whole answer. */
export async function bulk(
  url: string,
  lines: readonly (object | string)[],
  headers: Record<string, string> = {},
): Promise<BulkAnswerLine[]> {
  const client = new BulkClient(url, headers);
  const all = client.all();
  client.send(...lines);
  client.end();
  return all;
}
