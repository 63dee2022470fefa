import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import { jest } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { freePort } from './ports.js';

/** One request that a receiver got. */
export interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly path: string;
}

/** Answers one request; `nth` counts from 1. */
export type Reply = (response: ServerResponse, request: Received, nth: number) => void;

/** Answers with a status. */
export const status =
  (code: number, headers: Record<string, string> = {}): Reply =>
  (response) =>
    void response.writeHead(code, headers).end();

/** A receiver of webhooks on loopback. What it answers can be changed while it runs. */
export class WebhookReceiver {
  /** With which events may be signed. */
  secrets: readonly string[] = [];
  readonly received: Received[] = [];
  connections = 0;
  reply: Reply;
  readonly #server: Server;

  private constructor(
    readonly port: number,
    reply: Reply,
  ) {
    this.reply = reply;
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { headers, url = '' } = request;
        const each = { headers, path: url, body: Buffer.concat(chunks).toString() };
        this.received.push(each);
        this.reply(response, each, this.received.length);
      });
    });
    this.#server.on('connection', () => this.connections++);
  }

  static async start(reply: Reply = status(204)): Promise<WebhookReceiver> {
    const receiver = new WebhookReceiver(await freePort(), reply);
    await new Promise<void>((resolve) => receiver.#server.listen(receiver.port, '127.0.0.1', resolve));
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/hook`;
  }

  /**
   * What was received. Each must be signed with one of `secrets`, says the library of Standard Webhooks. Its age is not
   * checked: clocks of nodes in tests may stand.
   */
  events(): { type: string; data: { thing: string; version: number; kind: string } }[] {
    return this.received.map(({ headers, body }) => {
      const now = jest.spyOn(Date, 'now').mockReturnValue(Number(headers['webhook-timestamp']) * 1000);
      try {
        const known = this.secrets.find((secret) => isSigned(secret, body, headers as Record<string, string>));
        if (known === undefined) throw new Error(`no secret has signed ${body}`);
        return JSON.parse(body) as never;
      } finally {
        now.mockRestore();
      }
    });
  }

  /** Ids of what was received. */
  get ids(): unknown[] {
    return this.received.map(({ headers }) => headers['webhook-id']);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function isSigned(secret: string, body: string, headers: Record<string, string>): boolean {
  try {
    new Webhook(secret).verify(body, headers);
    return true;
  } catch {
    return false;
  }
}
