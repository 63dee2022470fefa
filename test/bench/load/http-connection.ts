import { connect, type Socket } from 'node:net';

/** Of the node, as requests name it. */
export const HOST = '127.0.0.1';

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

/** What a request shows of its sender: header lines, each with its line end. */
export type Showing = (method: string, path: string) => string;

/** One kept HTTP/1.1 connection with requests made by hand, one under way at a time. */
export class HttpConnection {
  #answer: { resolve: (answer: HttpAnswer) => void; reject: (error: Error) => void } | null = null;
  #text = '';

  private constructor(
    private readonly socket: Socket,
    private readonly showing: Showing,
  ) {
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => this.#take(chunk));
    socket.on('error', (error) => this.#answer?.reject(error));
    socket.on('close', () => this.#answer?.reject(new Error('closed')));
  }

  /** @param shown with every request; a text is a Bearer token, and without either nothing is shown */
  static open(port: number, shown: string | Showing = () => ''): Promise<HttpConnection> {
    const showing = typeof shown === 'string' ? bearing(shown) : shown;
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: HOST, noDelay: true }, () => {
        socket.removeListener('error', reject);
        resolve(new HttpConnection(socket, showing));
      });
      socket.once('error', reject);
    });
  }

  /** The body of the answer. @throws Error when the status is neither 200 nor 201 */
  async send(method: string, path: string, body?: string, type?: string): Promise<string> {
    const answer = await this.ask(method, path, body, type);
    if (answer.status === 200 || answer.status === 201) return answer.body;
    throw new Error(`HTTP ${answer.status}: ${answer.body}`);
  }

  /** The answer, whatever its status. @param showing of this request alone */
  ask(
    method: string,
    path: string,
    body?: string,
    type = 'application/json',
    showing = this.showing,
  ): Promise<HttpAnswer> {
    const content = body === undefined ? '' : `content-type: ${type}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n`;
    const head = `${method} ${path} HTTP/1.1\r\nhost: ${HOST}\r\n${showing(method, path)}${content}\r\n`;
    return new Promise((resolve, reject) => {
      if (this.socket.destroyed) return reject(new Error('the server has closed this connection'));
      this.#answer = { resolve, reject };
      this.socket.write(`${head}${body ?? ''}`);
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
    const status = Number(this.#text.slice(9, 12));
    const body = this.#text.slice(head + 4, end);
    this.#text = this.#text.slice(end);
    this.#answer?.resolve({ status, body });
  }
}

/** Shows a key or a token. */
export function bearing(token: string): Showing {
  const lines = `authorization: Bearer ${token}\r\n`;
  return () => lines;
}
