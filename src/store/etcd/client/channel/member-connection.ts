import { connect as connectHttp2, type ClientHttp2Session, type OutgoingHttpHeaders } from 'node:http2';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { reasonOf } from '../../../../telemetry/reason.js';
import type { EtcdCredentials } from '../etcd-client.js';
import type { Call, CallConnection } from './call.js';
import { notSent } from './grpc-status.js';

/**
 * With HTTP/2's own 64 KiB a revision of 100 writes takes several turns of a busy loop. For each stream and for the
 * connection: a paused watch holds so much at most.
 */
const WINDOW_BYTES = 4 * 1024 * 1024;
/** Megabytes of what waits to be sent, and of headers. The callers bound their requests; Node would allow 10. */
const SESSION_MEMORY_MB = 64;
export interface ConnectionLimits {
  /** Milliseconds from the first packet to the settings of the server, TLS included. */
  readonly connectMs: number;
  /** Milliseconds between two pings while calls are under way. etcd ends a connection with more than one in 5 s (ETCD 2.3). */
  readonly keepAliveMs: number;
  /** Milliseconds at least between two pings, also after a call that was not answered in time. */
  readonly suspectMs: number;
  /** Milliseconds without a sign of life after a ping. */
  readonly pongMs: number;
  /** Calls that it takes: HTTP/2 has 2 ** 30 streams for a client, which 1,000 calls a second use up in 12 days. */
  readonly maxCalls: number;
}

export const CONNECTION_LIMITS: ConnectionLimits = {
  connectMs: 2_500,
  keepAliveMs: 10_000,
  suspectMs: 6_000,
  pongMs: 5_000,
  maxCalls: 2 ** 29,
};

export interface ConnectionOptions {
  /** One member, such as `http://127.0.0.1:2379`. */
  readonly host: string;
  readonly credentials: EtcdCredentials;
  readonly limits: ConnectionLimits;
  /** The connection takes no more calls; those under way may still be answered. */
  readonly onLeave: () => void;
}

/**
 * One HTTP/2 connection to one member, never made anew: its channel opens the next one. A call that waits for it was not
 * sent; it counts as connected when the settings of the server are there, since a stopped server accepts too.
 */
export class MemberConnection implements CallConnection {
  readonly #session: ClientHttp2Session | null = null;
  #socket: Socket | null = null;
  /** Bounded by the slots of those who call, and by `connectMs`. */
  #waiting: { readonly call: Call; readonly headers: OutgoingHttpHeaders }[] = [];
  #isOpen = false;
  #isEnded = false;
  #reason: string | null = null;
  #calls = 0;
  /** Calls under way. */
  #active = 0;
  #pingedAt = -Infinity;
  #connecting: NodeJS.Timeout | undefined;
  #keepAlive: NodeJS.Timeout | undefined;
  #pong: NodeJS.Timeout | undefined;

  constructor(private readonly options: ConnectionOptions) {
    const { limits } = options;
    try {
      this.#session = this.#connect();
    } catch (error) {
      // Such as credentials that are no certificates. Calls that are begun now must not find it ended yet.
      this.#reason = reasonOf(error);
      setImmediate(() => this.#ended());
      return;
    }
    this.#connecting = setTimeout(() => {
      setImmediate(() => this.#isOpen || this.destroy(`not connected within ${limits.connectMs} ms`));
    }, limits.connectMs);
    this.#keepAlive = setInterval(() => this.#active > 0 && this.suspect(), limits.keepAliveMs).unref();
  }

  get reason(): string {
    return this.#reason ?? 'the member ended it';
  }

  /** Sends the call, or keeps it until the connection is there. It ends the call if that fails. No errors. */
  begin(call: Call, headers: OutgoingHttpHeaders): void {
    if (this.#isOpen || this.#isEnded) this.#send(call, headers);
    else this.#waiting.push({ call, headers });
  }

  suspect(): void {
    if (performance.now() - this.#pingedAt >= this.options.limits.suspectMs) this.#ping();
  }

  /** Ends it at once. Calls that were sent are in doubt. No errors. */
  destroy(reason: string): void {
    this.#reason ??= reason;
    this.#session?.destroy();
    this.#ended();
  }

  #connect(): ClientHttp2Session {
    const { host } = this.options;
    const session = connectHttp2(host.replace(/^https?:/, this.#isSecure() ? 'https:' : 'http:'), {
      settings: { initialWindowSize: WINDOW_BYTES, enablePush: false },
      maxSessionMemory: SESSION_MEMORY_MB,
      createConnection: (authority) => (this.#socket = this.#dial(authority)),
    });
    // Node connects a session that was destroyed meanwhile, too.
    session.on('connect', () => session.destroyed || session.setLocalWindowSize(WINDOW_BYTES));
    session.on('remoteSettings', () => this.#opened());
    // Never removed: an error without a listener ends the process.
    session.on('error', (error) => (this.#reason ??= reasonOf(error)));
    session.on('goaway', (code) => {
      this.#reason ??= `the member said goodbye with code ${code}`;
      this.#leave();
    });
    session.on('close', () => this.#ended());
    return session;
  }

  /** As the library does: credentials make every connection a secure one. */
  #isSecure(): boolean {
    return this.options.host.startsWith('https:') || this.options.credentials.rootCertificate !== undefined;
  }

  #dial(authority: URL): Socket {
    const host = authority.hostname.replace(/^\[|\]$/g, '');
    const secure = this.#isSecure();
    const port = Number(authority.port || (secure ? 443 : 80));
    const { rootCertificate: ca, privateKey: key, certChain: cert } = this.options.credentials;
    const socket = secure
      ? connectTls({
          host,
          port,
          ALPNProtocols: ['h2'],
          ...(ca && { ca }),
          ...(key && cert && ca ? { key, cert } : {}),
        })
      : connectTcp({ host, port });
    socket.setNoDelay(true);
    socket.on('error', (error) => (this.#reason ??= reasonOf(error)));
    // Node does not end a session whose certificate the server refuses after the handshake. What has arrived goes first.
    socket.on('close', () => setImmediate(() => this.destroy('the member closed the connection')));
    return socket;
  }

  #opened(): void {
    if (this.#isOpen || this.#isEnded) return;
    this.#isOpen = true;
    clearTimeout(this.#connecting);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { call, headers } of waiting) this.#send(call, headers);
  }

  #send(call: Call, headers: OutgoingHttpHeaders): void {
    if (call.isEnded) return;
    const leftMs = call.leftMs();
    if (this.#isEnded || !this.#session) return call.fail(notSent(this.reason));
    const timeout = leftMs === null ? {} : { 'grpc-timeout': `${Math.max(1, Math.ceil(leftMs))}m` };
    let stream;
    try {
      stream = this.#session.request({ ...headers, ...timeout });
    } catch (error) {
      // Thrown before anything is sent: the session is closing, or has a fault of another kind.
      if (this.#session.closed) this.#leave();
      return call.fail(notSent(reasonOf(error)));
    }
    this.#active++;
    stream.once('close', () => this.#left());
    call.start(stream, this);
    if (++this.#calls >= this.options.limits.maxCalls) this.#leave();
  }

  /** Closed only now: a server may break off what is under way when it is told of the end. */
  #left(): void {
    this.#active--;
    if (this.#active === 0 && this.#calls >= this.options.limits.maxCalls) this.#session?.close();
  }

  #leave(): void {
    this.options.onLeave();
  }

  /** Any byte after the ping is life: an answer that fills the connection can delay a pong. */
  #ping(): void {
    const session = this.#session;
    if (!this.#isOpen || !session || session.destroyed || this.#pong) return;
    this.#pingedAt = performance.now();
    const heard = this.#socket?.bytesRead;
    const { pongMs } = this.options.limits;
    session.ping(() => {
      clearTimeout(this.#pong);
      this.#pong = undefined;
    });
    this.#pong = setTimeout(() => {
      // A pong that has arrived while the event loop was busy is read before the immediate.
      setImmediate(() => {
        if (!this.#pong) return;
        this.#pong = undefined;
        if (this.#socket?.bytesRead === heard) this.destroy(`no sign of life within ${pongMs} ms`);
      });
    }, pongMs);
  }

  #ended(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    for (const timer of [this.#connecting, this.#keepAlive, this.#pong]) clearTimeout(timer);
    this.#pong = undefined;
    this.#leave();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { call } of waiting) call.fail(notSent(this.reason));
  }
}
