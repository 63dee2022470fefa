import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { DeliverPolicy, jetstream } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { Redis } from 'ioredis';
import { Webhook } from 'standardwebhooks';
import { freePort } from '../../harness/ports.js';
import { shadowId, stepOf } from '../model/history.js';
import { TENANT, type Delivery, type SinkHistory } from '../model/sink-history.js';
import type { Random } from '../plans/random.js';
import { PROMISES } from '../validate/promises.js';

/** Entries that are asked for at once. */
const PAGE = 1_000;

interface Event {
  readonly thing: string;
  readonly shadow: string | null;
  readonly kind: 'updated' | 'deleted';
  readonly version: number;
  readonly revision: number;
  readonly clientToken?: string;
}

/** Reads what the other side of a sink has, from where it was the last time. */
export interface SinkReader {
  /** @throws Error while the server does not answer */
  read(): Promise<void>;
  close(): Promise<void>;
}

function deliveryOf(event: Event, id: string, at: number): Delivery {
  const { thing, shadow, kind, version, revision, clientToken } = event;
  const step = stepOf({ version, deleted: kind === 'deleted' });
  return { shadow: shadowId(thing, shadow), step, revision, id, token: clientToken, at };
}

/** The id that NATS and Redis must have of a change, by docs/sinks.md. */
function checkId(history: SinkHistory, sink: string, event: Event, id: string): void {
  const wanted = `${TENANT}/${event.thing}/${event.shadow ?? ''}/${event.revision}`;
  if (id !== wanted) history.remark(PROMISES.sinkIds, `${sink}: ${id} is no id of ${wanted}`);
}

export class RedisReader implements SinkReader {
  readonly #redis: Redis;
  #last = '-';

  constructor(
    private readonly history: SinkHistory,
    port: number,
    private readonly stream: string,
  ) {
    this.#redis = labRedis(port);
  }

  async read(): Promise<void> {
    for (;;) {
      const entries = await this.#redis.xrange(this.stream, this.#last, '+', 'COUNT', PAGE);
      for (const [place, list] of entries) {
        const fields = Object.fromEntries(list.flatMap((name, i) => (i % 2 === 0 ? [[name, list[i + 1] ?? '']] : [])));
        const event = JSON.parse(fields['event'] ?? '') as Event;
        checkId(this.history, 'redis', event, fields['id'] ?? '');
        const at = Number(place.split('-')[0]);
        this.history.deliveries.get('redis')?.push(deliveryOf(event, fields['id'] ?? '', at));
        this.#last = `(${place}`;
      }
      if (entries.length < PAGE) return;
    }
  }

  close(): Promise<void> {
    this.#redis.disconnect();
    return Promise.resolve();
  }
}

/** A client of the lab, which is not behind a proxy and never waits for long. */
export function labRedis(port: number): Redis {
  const redis = new Redis({ host: '127.0.0.1', port, commandTimeout: 2_000, retryStrategy: () => 200 });
  return redis.on('error', () => undefined);
}

export class NatsReader implements SinkReader {
  #connection: NatsConnection | null = null;
  #next = 1;

  constructor(
    private readonly history: SinkHistory,
    private readonly url: string,
    private readonly stream: string,
  ) {}

  async read(): Promise<void> {
    this.#connection ??= await connect({ servers: this.url, reconnect: false, timeout: 2_000 });
    try {
      while (await this.#page(this.#connection));
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async #page(connection: NatsConnection): Promise<boolean> {
    const from = { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: this.#next };
    const consumer = await jetstream(connection, { timeout: 2_000 }).consumers.get(this.stream, from);
    const messages = await consumer.fetch({ max_messages: PAGE, expires: 1_000 });
    let count = 0;
    for await (const message of messages) {
      count++;
      const id = message.headers?.get('Nats-Msg-Id') ?? '';
      const event = message.json<Event>();
      checkId(this.history, 'nats', event, id);
      const at = Math.floor(message.info.timestampNanos / 1e6);
      this.history.deliveries.get('nats')?.push(deliveryOf(event, id, at));
      this.#next = message.seq + 1;
    }
    await consumer.delete().catch(() => undefined);
    return count === PAGE;
  }

  async close(): Promise<void> {
    await this.#connection?.close().catch(() => undefined);
    this.#connection = null;
  }
}

/** Answers a few requests with an error, or not at all. */
const FAILS = 0.01;

/** A receiver of webhooks, which verifies each with the library of Standard Webhooks. */
export class WebhookReader implements SinkReader {
  readonly #server: Server;
  #webhook: Webhook | null = null;

  private constructor(
    private readonly history: SinkHistory,
    private readonly random: Random,
    readonly port: number,
  ) {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const draw = this.random.next();
        if (draw < FAILS / 2) return void response.socket?.destroy();
        if (draw < FAILS) return void response.writeHead(500).end();
        this.#take(Buffer.concat(chunks).toString(), request.headers);
        response.writeHead(204).end();
      });
    });
  }

  static async start(history: SinkHistory, random: Random): Promise<WebhookReader> {
    const reader = new WebhookReader(history, random, await freePort());
    await new Promise<void>((resolve) => reader.#server.listen(reader.port, '127.0.0.1', resolve));
    return reader;
  }

  /** @param secret that signs */
  expect(secret: string): void {
    this.#webhook = new Webhook(secret);
  }

  /** It is sent what there is. */
  read(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #take(body: string, headers: IncomingHttpHeaders): void {
    try {
      if (this.#webhook === null) throw new Error('it came before its sink');
      const { data } = this.#webhook.verify(body, headers as Record<string, string>) as { data: Event };
      const delivery = deliveryOf(data, String(headers['webhook-id']), Date.now());
      this.history.deliveries.get('webhook')?.push(delivery);
    } catch (error) {
      this.history.remark(PROMISES.sinkIds, `webhook: ${String(error)}: ${body.slice(0, 200)}`);
    }
  }
}
