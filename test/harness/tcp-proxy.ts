import { createServer, connect, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { freePort } from './ports.js';

/**
 * What happens to the bytes.
 * - `pass`: nothing.
 * - `blackhole`: both ways are swallowed, connections stay open, new ones are accepted and hear nothing.
 * - `lose-responses`: requests reach the server, nothing comes back. Only cutAll() heals such connections.
 * - `refuse`: new connections are reset at once and old ones cut.
 * - `cut-on-response`: requests reach the server; the connection is cut instead of delivering the next response bytes,
 *   then the mode is `pass` again. A lost answer.
 */
export type ProxyMode = 'pass' | 'blackhole' | 'lose-responses' | 'refuse' | 'cut-on-response';

/** Bytes that wait for their time. */
interface Delayed {
  readonly at: number;
  readonly chunk: Buffer;
  readonly from: Socket;
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
}

/** A TCP proxy on the loopback whose faults a test switches. */
export class TcpProxy {
  #mode: ProxyMode = 'pass';
  #latencyMs = 0;
  #bytesPerMs = Infinity;
  #stallMs: () => number = () => 0;
  #cutAfter: number | null = null;
  readonly #pairs = new Set<Pair>();
  readonly #delayed = new WeakMap<Socket, Delayed[]>();
  /** What their clients have sent since hold(). */
  readonly #held = new Map<Pair, Buffer[]>();
  /** Responses that were lost to `cut-on-response`. */
  cuts = 0;
  /** Connections accepted so far. */
  connections = 0;

  private constructor(
    private readonly server: Server,
    readonly port: number,
    private readonly targetPort: () => number,
    private readonly targetHost: string,
  ) {}

  /** @param target a port, or what says the port for each connection, as a balancer of several servers does */
  static async start(target: number | (() => number), targetHost = '127.0.0.1'): Promise<TcpProxy> {
    const port = await freePort();
    const server = createServer();
    const targetPort = typeof target === 'number' ? () => target : target;
    const proxy = new TcpProxy(server, port, targetPort, targetHost);
    server.on('connection', (socket) => proxy.#accept(socket));
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#pairs.size;
  }

  get mode(): ProxyMode {
    return this.#mode;
  }

  set(mode: ProxyMode): void {
    this.#mode = mode;
    if (mode === 'refuse') this.cutAll();
  }

  /** Milliseconds added to every chunk, each way. */
  latency(ms: number): void {
    this.#latencyMs = ms;
  }

  /** Milliseconds that each chunk, and all behind it, wait as if it had been lost and sent again; 0 for most of them. */
  stall(ms: () => number): void {
    this.#stallMs = ms;
  }

  /** Bytes a second that a connection carries, each way. */
  bandwidth(bytesPerSecond: number): void {
    this.#bytesPerMs = bytesPerSecond / 1_000;
  }

  /** Cuts all connections once `bytes` more have come from the server; those bytes are delivered. */
  cutAfterResponseBytes(bytes: number): void {
    this.#cutAfter = bytes;
  }

  cutAll(): void {
    for (const pair of this.#pairs) this.#cut(pair);
  }

  /**
   * The connections that are open now stay open and say nothing more, as behind a firewall that has forgotten them. New
   * ones pass. What their clients send is kept for release(), also when they are gone.
   */
  hold(): void {
    for (const pair of this.#pairs) this.#held.set(pair, this.#held.get(pair) ?? []);
  }

  /** The bytes that were held come late, and are the last of their connections. */
  release(): void {
    for (const [pair, chunks] of this.#held) {
      this.#held.delete(pair);
      pair.client.destroy();
      for (const chunk of chunks) pair.server.write(chunk);
      pair.server.end();
    }
  }

  async stop(): Promise<void> {
    this.cutAll();
    this.server.close();
    await once(this.server, 'close');
  }

  #cut(pair: Pair): void {
    this.#pairs.delete(pair);
    this.#held.delete(pair);
    pair.client.destroy();
    pair.server.destroy();
  }

  #accept(client: Socket): void {
    this.connections++;
    client.on('error', () => undefined);
    if (this.#mode === 'refuse') return void client.resetAndDestroy();
    const server = connect(this.targetPort(), this.targetHost);
    const pair = { client, server };
    this.#pairs.add(pair);
    client.setNoDelay(true);
    server.setNoDelay(true);
    server.on('error', () => this.#cut(pair));
    server.on('close', () => this.#cut(pair));
    client.on('close', () => {
      if (!this.#held.has(pair) && !server.writableEnded) this.#cut(pair);
    });
    client.on('data', (chunk) => {
      const held = this.#held.get(pair);
      if (held) held.push(chunk);
      else this.#forward(chunk, client, server);
    });
    server.on('data', (chunk) => this.#respond(chunk, pair));
  }

  #respond(chunk: Buffer, pair: Pair): void {
    if (this.#mode === 'lose-responses' || this.#held.has(pair)) return;
    if (this.#mode === 'cut-on-response' && carriesData(chunk)) {
      this.#mode = 'pass';
      this.cuts++;
      return this.#cut(pair);
    }
    this.#forward(chunk, pair.server, pair.client);
    if (this.#cutAfter === null) return;
    this.#cutAfter -= chunk.length;
    if (this.#cutAfter > 0) return;
    this.#cutAfter = null;
    // end() delivers what was written first.
    this.#pairs.delete(pair);
    pair.client.end(() => this.#cut(pair));
    this.cutAll();
  }

  #forward(chunk: Buffer, from: Socket, to: Socket): void {
    if (this.#mode === 'blackhole') return;
    const waiting = this.#delayed.get(to) ?? [];
    const last = waiting.at(-1);
    const ms = this.#latencyMs + this.#stallMs() + chunk.length / this.#bytesPerMs;
    if (ms === 0 && !last) return this.#send(chunk, from, to);
    // Bytes stay in order when the latency changes: reordered frames of HTTP/2 would look like lost events.
    const at = Math.max(performance.now() + ms, (last?.at ?? 0) + chunk.length / this.#bytesPerMs);
    waiting.push({ at, chunk, from });
    this.#delayed.set(to, waiting);
    if (!last) this.#release(to, waiting);
  }

  #release(to: Socket, waiting: Delayed[]): void {
    const first = waiting[0];
    if (!first) return;
    setTimeout(() => {
      for (let next = waiting[0]; next && next.at <= performance.now() + 1; next = waiting[0]) {
        waiting.shift();
        this.#send(next.chunk, next.from, to);
      }
      this.#release(to, waiting);
    }, first.at - performance.now());
  }

  #send(chunk: Buffer, from: Socket, to: Socket): void {
    if (this.#mode === 'blackhole' || to.destroyed) return;
    // Back-pressure, so that a stopped reader stops the sender as without the proxy.
    if (to.write(chunk)) return;
    from.pause();
    to.once('drain', () => from.resume());
  }
}

/** Whether a chunk of HTTP/2 frames holds a DATA frame or headers: SETTINGS, PING and window updates are no response. */
function carriesData(chunk: Buffer): boolean {
  let at = 0;
  while (at + 9 <= chunk.length) {
    const length = chunk.readUIntBE(at, 3);
    const type = chunk[at + 3];
    if (type === 0 || type === 1) return true;
    at += 9 + length;
  }
  return false;
}
