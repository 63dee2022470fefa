export interface StreamEvent {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: Record<string, unknown>;
}

/** Reads server-sent events one by one; nothing is read ahead of what is asked for but the chunk at hand. */
export class EventReader {
  #buffer = '';
  readonly #decoder = new TextDecoder();
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  /** Milliseconds of the stream's `retry:` field. */
  retry: number | null = null;

  private constructor(
    readonly response: Response,
    private readonly abort: AbortController,
  ) {
    if (!response.body) throw new Error('no body');
    this.#reader = response.body.getReader();
  }

  /** Connects; a response that is no stream is handed back by its status. */
  static async open(url: string, headers: Record<string, string> = {}): Promise<EventReader> {
    const abort = new AbortController();
    const response = await fetch(url, { headers, signal: abort.signal });
    if (response.status !== 200) throw new Error(`status ${response.status}: ${await response.text()}`);
    return new EventReader(response, abort);
  }

  /** The next event, or null when the stream has ended. */
  async next(): Promise<StreamEvent | null> {
    for (;;) {
      const end = this.#buffer.indexOf('\n\n');
      if (end >= 0) {
        const event = this.#parse(this.#buffer.slice(0, end));
        this.#buffer = this.#buffer.slice(end + 2);
        if (event) return event;
        continue;
      }
      const { done, value } = await this.#reader.read();
      if (done) return null;
      this.#buffer += this.#decoder.decode(value, { stream: true });
    }
  }

  /** The next event of a kind; others are passed over. */
  async nextOf(...kinds: string[]): Promise<StreamEvent> {
    for (;;) {
      const event = await this.next();
      if (event === null) throw new Error(`the stream ended before ${kinds.join(' or ')}`);
      if (kinds.includes(event.event)) return event;
    }
  }

  close(): void {
    this.abort.abort();
    this.#reader.cancel().catch(() => undefined);
  }

  #parse(block: string): StreamEvent | null {
    const fields = new Map<string, string>();
    for (const line of block.split('\n')) {
      const [, name = '', value = ''] = /^([^:]*): ?(.*)$/.exec(line) ?? [];
      fields.set(name, value);
    }
    if (fields.has('retry')) this.retry = Number(fields.get('retry'));
    const data = fields.get('data');
    if (data === undefined) return null;
    return {
      event: fields.get('event') ?? 'message',
      id: fields.get('id'),
      data: JSON.parse(data) as StreamEvent['data'],
    };
  }
}
