import { connect, type Socket } from 'node:net';

/** One kept HTTP/1.1 connection with requests made by hand, one under way at a time. */
export class HttpConnection {
  #answer: { resolve: (body: string) => void; reject: (error: Error) => void } | null = null;
  #text = '';

  private constructor(
    private readonly socket: Socket,
    private readonly authorization: string,
  ) {
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => this.#take(chunk));
    socket.on('error', (error) => this.#answer?.reject(error));
    socket.on('close', () => this.#answer?.reject(new Error('closed')));
  }

  /** @param key sent as Bearer token with every request; none: no credentials are sent */
  static open(port: number, key?: string): Promise<HttpConnection> {
    const authorization = key === undefined ? '' : `authorization: Bearer ${key}\r\n`;
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => {
        socket.removeListener('error', reject);
        resolve(new HttpConnection(socket, authorization));
      });
      socket.once('error', reject);
    });
  }

  /** The body of the answer. @throws Error when the status is neither 200 nor 201 */
  send(method: string, path: string, body?: string, type = 'application/json'): Promise<string> {
    const content = body === undefined ? '' : `content-type: ${type}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n`;
    return new Promise((resolve, reject) => {
      if (this.socket.destroyed) return reject(new Error('the server has closed this connection'));
      this.#answer = { resolve, reject };
      this.socket.write(
        `${method} ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n${this.authorization}${content}\r\n${body ?? ''}`,
      );
    });
  }

  end(): void {
    this.#answer = null;
    this.socket.destroy();
  }

  #take(chunk: string): void {
    this.#text += chunk;
    const head = this.#text.indexOf('\r\n\r\n');
    if (head < 0) return;
    const length = /content-length: (\d+)/i.exec(this.#text.slice(0, head))?.[1];
    if (length === undefined) return this.#answer?.reject(new Error(`no content-length: ${this.#text}`));
    const end = head + 4 + Number(length);
    if (this.#text.length < end) return;
    const status = this.#text.slice(9, 12);
    const body = this.#text.slice(head + 4, end);
    this.#text = this.#text.slice(end);
    const answer = this.#answer;
    if (status === '200' || status === '201') answer?.resolve(body);
    else answer?.reject(new Error(`HTTP ${status}: ${body}`));
  }
}
