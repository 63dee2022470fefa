/** Reads what a node says on one connection, and finds what no server may say. Text is latin1: a character is a byte. */
export class HttpAnswers {
  /** Answers whose head has come, without 1xx. */
  count = 0;
  #text = '';
  #state: 'head' | 'body' | 'chunks' | 'until-close' = 'head';
  #left = 0;

  /** @param most answers that the requests of the connection may have */
  constructor(private readonly most: number) {}

  /** Returns what is wrong with the bytes so far, or null. */
  push(bytes: Buffer): string | null {
    this.#text += bytes.toString('latin1');
    for (;;) {
      const before = this.#text.length;
      const state = this.#state;
      const wrong = state === 'head' ? this.#head() : state === 'body' ? this.#body() : this.#rest();
      if (wrong !== null) return wrong;
      if (this.#text.length === before && this.#state === state) return null;
    }
  }

  #head(): string | null {
    const start = 'HTTP/1.1 ';
    const begun = this.#text.slice(0, start.length);
    if (!start.startsWith(begun)) return `an answer begins with ${JSON.stringify(this.#text.slice(0, 60))}`;
    const end = this.#text.indexOf('\r\n\r\n');
    if (end < 0) return null;
    const head = this.#text.slice(0, end);
    this.#text = this.#text.slice(end + 4);
    const status = Number(head.slice(9, 12));
    if (status === 101) this.#state = 'until-close';
    if (status < 200) return null;
    if (++this.count > this.most) return `more than ${this.most} answers`;
    if (status === 500) return `status 500: ${head.slice(0, 200)}`;
    return this.#frame(status, head);
  }

  #frame(status: number, head: string): string | null {
    const lengths = head.match(/^content-length:/gim)?.length ?? 0;
    const isChunked = /^transfer-encoding: *chunked\r?$/im.test(head);
    if (lengths + (isChunked ? 1 : 0) > 1) return `two lengths: ${head.slice(0, 300)}`;
    if (status === 204 || status === 304) return null;
    this.#left = Number(/^content-length: *(\d+)\r?$/im.exec(head)?.[1] ?? 0);
    this.#state = isChunked ? 'chunks' : lengths === 1 ? 'body' : 'until-close';
    return null;
  }

  #body(): null {
    const taken = Math.min(this.#left, this.#text.length);
    this.#left -= taken;
    this.#text = this.#text.slice(taken);
    if (this.#left === 0) this.#state = 'head';
    return null;
  }

  #rest(): string | null {
    if (this.#state === 'until-close') {
      this.#text = '';
      return null;
    }
    const size = /^([0-9a-f]+)\r\n/i.exec(this.#text);
    if (size === null) return /^[0-9a-f]*\r?$/i.test(this.#text) ? null : 'a chunk without a size';
    const bytes = parseInt(size[1] ?? '', 16);
    const whole = size[0].length + bytes + 2;
    if (this.#text.length < whole) return null;
    this.#text = this.#text.slice(whole);
    if (bytes === 0) this.#state = 'head';
    return null;
  }
}
