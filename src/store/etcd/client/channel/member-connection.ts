import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { reasonOf } from '../../../../telemetry/reason.js';
import type { EtcdCredentials } from '../etcd-client.js';
import { FRAME_BYTES } from '../http2/frame.js';
import { writeHeader, writeRequest } from '../http2/header-block.js';
import { Http2Connection, type OnRead } from '../http2/http2-connection.js';
import type { Call, CallConnection } from './call.js';
import { notSent } from './grpc-status.js';
import { serverNameOf } from './server-name.js';

const HTTP2_LIMITS = {
  /**
   * With HTTP/2's own 64 KiB a revision of 100 writes takes several turns of a busy loop. For each stream and for the
   * connection: a paused watch holds so much at most.
   */
  windowBytes: 4 * 1024 * 1024,
  /** The callers bound their requests. */
  waitingBytes: 64 * 1024 * 1024,
};

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
  /** It has ended, and with it all of its calls. */
  readonly onEnd: () => void;
}

/** What a call is sent with. */
export interface CallHead {
  /** Such as `/etcdserverpb.KV/Txn`. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * One HTTP/2 connection to one member, never made anew: its channel opens the next one. A call that waits for it was not
 * sent; it counts as connected when the settings of the server are there, since a stopped server accepts too.
 */
export class MemberConnection implements CallConnection {
  readonly #http2: Http2Connection | null = null;
  /** Calls that wait for the settings, or for room. Bounded by the slots of those who call, and by their deadlines. */
  #waiting: { readonly call: Call; readonly head: CallHead }[] = [];
  /** Headers by the head that brought them: a channel keeps one for each path. */
  readonly #blocks = new WeakMap<CallHead, Buffer>();
  #isOpen = false;
  #isEnded = false;
  #isLeaving = false;
  #reason: string | null = null;
  #calls = 0;
  #pingedAt = -Infinity;
  #connecting: NodeJS.Timeout | undefined;
  #keepAlive: NodeJS.Timeout | undefined;
  #pong: NodeJS.Timeout | undefined;

  constructor(private readonly options: ConnectionOptions) {
    const { limits } = options;
    try {
      this.#http2 = this.#connect();
    } catch (error) {
      // Such as credentials that are no certificates. Calls that are begun now must not find it ended yet.
      this.#reason = reasonOf(error);
      setImmediate(() => this.#ended());
      return;
    }
    this.#connecting = setTimeout(() => {
      setImmediate(() => this.#isOpen || this.destroy(`not connected within ${limits.connectMs} ms`));
    }, limits.connectMs);
    this.#keepAlive = setInterval(() => this.#underWay > 0 && this.suspect(), limits.keepAliveMs).unref();
  }

  get reason(): string {
    return this.#reason ?? 'the member ended it';
  }

  /** Calls under way. */
  get #underWay(): number {
    return this.#http2?.streams ?? 0;
  }

  /** Sends the call, or keeps it until the connection is there. It ends the call if that fails. No errors. */
  begin(call: Call, head: CallHead): void {
    if (this.#isEnded || (this.#isOpen && this.#http2?.hasRoom)) this.#send(call, head);
    else this.#wait(call, head);
  }

  suspect(): void {
    if (performance.now() - this.#pingedAt >= this.options.limits.suspectMs) this.#ping();
  }

  /** Ends it at once. Calls that were sent are in doubt. No errors. */
  destroy(reason: string): void {
    this.#reason ??= reason;
    this.#http2?.destroy(reason);
    this.#ended();
  }

  #connect(): Http2Connection {
    return new Http2Connection((onread) => this.#dial(onread), HTTP2_LIMITS, {
      onOpen: () => this.#opened(),
      onRoom: () => this.#oneLess(),
      onGoaway: (reason) => {
        this.#reason ??= reason;
        this.#leave();
      },
      onClose: (reason) => {
        this.#reason ??= reason;
        this.#ended();
      },
    });
  }

  /** As the library does: credentials make every connection a secure one. */
  #isSecure(): boolean {
    return this.options.host.startsWith('https:') || this.options.credentials.rootCertificate !== undefined;
  }

  #dial(onread: OnRead): Socket {
    const secure = this.#isSecure();
    const url = new URL(this.options.host);
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const serverName = serverNameOf(host);
    const port = Number(url.port || (secure ? 443 : 80));
    const { rootCertificate: ca, privateKey: key, certChain: cert } = this.options.credentials;
    const socket = secure
      ? connectTls({
          host,
          port,
          ALPNProtocols: ['h2'],
          ...(serverName && { servername: serverName }),
          ...(ca && { ca }),
          ...(key && cert && ca ? { key, cert } : {}),
          // Node's documentation has it, its types do not.
          ...({ onread } as object),
        })
      : connectTcp({ host, port, onread });
    socket.setNoDelay(true);
    // Never removed: an error without a listener ends the process.
    socket.on('error', (error) => (this.#reason ??= reasonOf(error)));
    // What has arrived goes first.
    socket.on('close', () => setImmediate(() => this.destroy('the member closed the connection')));
    return socket;
  }

  #opened(): void {
    if (this.#isOpen || this.#isEnded) return;
    this.#isOpen = true;
    clearTimeout(this.#connecting);
    this.#sendWaiting();
  }

  /** Where there is no room for long, those that have met their deadlines go. */
  #wait(call: Call, head: CallHead): void {
    while (this.#waiting[0]?.call.isEnded) this.#waiting.shift();
    this.#waiting.push({ call, head });
  }

  #sendWaiting(): void {
    while (this.#isOpen && this.#waiting.length > 0 && this.#http2?.hasRoom) {
      const { call, head } = this.#waiting.shift()!;
      this.#send(call, head);
    }
  }

  #send(call: Call, head: CallHead): void {
    if (call.isEnded) return;
    if (this.#isEnded || this.#isLeaving || !this.#http2) return call.fail(notSent(this.reason));
    const block = this.#blockOf(head, call.leftMs());
    if (block.length > FRAME_BYTES) return call.fail(notSent(`the headers have more than ${FRAME_BYTES} bytes`));
    call.start(this.#http2.open(block), this);
    if (++this.#calls >= this.options.limits.maxCalls) this.#leave();
  }

  #blockOf(head: CallHead, leftMs: number | null): Buffer {
    let block = this.#blocks.get(head);
    if (!block) {
      const { host } = new URL(this.options.host);
      block = writeRequest({ isSecure: this.#isSecure(), authority: host, path: head.path }, head.headers);
      this.#blocks.set(head, block);
    }
    if (leftMs === null) return block;
    return Buffer.concat([block, writeHeader('grpc-timeout', `${Math.max(1, Math.ceil(leftMs))}m`)]);
  }

  #oneLess(): void {
    if (this.#isLeaving) this.#closeWhenIdle();
    else this.#sendWaiting();
  }

  #leave(): void {
    this.#isLeaving = true;
    this.options.onLeave();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { call } of waiting) call.fail(notSent(this.reason));
    this.#closeWhenIdle();
  }

  /** Closed only then: a server may break off what is under way when it is told of the end. */
  #closeWhenIdle(): void {
    if (this.#underWay > 0) return;
    setImmediate(() => this.#underWay === 0 && this.destroy(this.reason));
  }

  /** Any byte after the ping is life: an answer that fills the connection can delay a pong. */
  #ping(): void {
    const http2 = this.#http2;
    if (!this.#isOpen || !http2 || http2.isClosed || this.#pong) return;
    this.#pingedAt = performance.now();
    const heard = http2.bytesRead;
    const { pongMs } = this.options.limits;
    http2.ping(() => {
      clearTimeout(this.#pong);
      this.#pong = undefined;
    });
    this.#pong = setTimeout(() => {
      // A pong that has arrived while the event loop was busy is read before the immediate.
      setImmediate(() => {
        if (!this.#pong) return;
        this.#pong = undefined;
        if (http2.bytesRead === heard) this.destroy(`no sign of life within ${pongMs} ms`);
      });
    }, pongMs);
  }

  #ended(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    for (const timer of [this.#connecting, this.#keepAlive, this.#pong]) clearTimeout(timer);
    this.#pong = undefined;
    this.#leave();
    this.options.onEnd();
  }
}
