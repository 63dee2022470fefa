import { status as codes } from '@grpc/grpc-js';
import { reasonOf } from '../../../../telemetry/reason.js';
import type { EtcdCredentials } from '../etcd-client.js';
import { refusesToken, TOKEN_REFUSED } from '../etcd-error.js';
import type { EtcdTokens } from '../etcd-tokens.js';
import { BidiStream, type StreamEvents } from './bidi-stream.js';
import type { Call, Refusal } from './call.js';
import { statusError } from './grpc-status.js';
import { CONNECTION_LIMITS, MemberConnection, type CallHead, type ConnectionLimits } from './member-connection.js';
import { UnaryCall } from './unary-call.js';

/** Calls of gRPC to one member whose messages the caller writes and reads itself. Tests swap it. */
export interface Channel {
  /**
   * One question, sent once.
   * @param path such as `/etcdserverpb.KV/Txn`
   * @param message with room for its head, which is written already (`frame`)
   * @param timeoutMs milliseconds until it ends with DEADLINE_EXCEEDED
   * @returns the message of the answer: a view of a buffer that nobody else uses
   * @throws the errors of the library, which `classify` sorts
   */
  unary(path: string, message: Buffer, timeoutMs: number): Promise<Buffer>;

  /** Opens a stream of messages both ways. No errors: they come as `onEnd`. */
  stream(path: string, events: StreamEvents): BidiStream;

  /** Ends its connection and all calls; later ones fail. No errors. */
  close(): void;
}

export interface ChannelOptions {
  /** One member, such as `http://127.0.0.1:2379`. */
  readonly host: string;
  readonly credentials: EtcdCredentials;
  /** Of the user; null: calls carry no token. */
  readonly tokens: EtcdTokens | null;
  /** Shortened by tests. */
  readonly limits?: ConnectionLimits;
}

/**
 * A channel over HTTP/2 with one connection, opened at the first call and again at the first call after its end. It
 * repeats nothing: retries, rotation and budgets belong to EtcdMembers (ADR 0018).
 */
export class EtcdChannel implements Channel {
  /** The one that takes calls. */
  #connection: MemberConnection | null = null;
  /** With those that take no more, and wait for the end of what is under way. */
  readonly #connections = new Set<MemberConnection>();
  #isClosed = false;
  /** By path: a channel uses two or three. Made anew with the token. */
  readonly #heads = new Map<string, CallHead>();

  constructor(private readonly options: ChannelOptions) {}

  unary(path: string, message: Buffer, timeoutMs: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#begin(path, (refusal) => new UnaryCall({ message, timeoutMs, refusal, resolve, reject }));
    });
  }

  stream(path: string, events: StreamEvents): BidiStream {
    return this.#begin(path, (refusal) => new BidiStream(refusal, events));
  }

  close(): void {
    this.#isClosed = true;
    for (const connection of this.#connections) connection.destroy('the channel was closed');
  }

  #begin<C extends Call>(path: string, create: (refusal: Refusal) => C): C {
    const { host, tokens } = this.options;
    if (!tokens) {
      const call = create(statusError);
      this.#send(path, call, null);
      return call;
    }
    const token = tokens.get(host);
    const call = create((code, details) => {
      if (!refusesToken(details)) return statusError(code, details);
      tokens.forget(host, token);
      return statusError(codes.UNAUTHENTICATED, `${TOKEN_REFUSED}: ${details.replace('etcdserver: ', '')}`);
    });
    token.then(
      (text) => this.#send(path, call, text),
      (error: unknown) => call.fail(statusError(codes.UNAUTHENTICATED, `no token from ${host}: ${reasonOf(error)}`)),
    );
    return call;
  }

  #send(path: string, call: Call, token: string | null): void {
    if (this.#isClosed) return call.fail(statusError(codes.UNAVAILABLE, 'Channel closed before call started'));
    this.#connection ??= this.#connect();
    this.#connection.begin(call, this.#headOf(path, token));
  }

  #connect(): MemberConnection {
    const { host, credentials, limits } = this.options;
    const connection: MemberConnection = new MemberConnection({
      host,
      credentials,
      limits: limits ?? CONNECTION_LIMITS,
      onLeave: () => {
        if (this.#connection === connection) this.#connection = null;
      },
      onEnd: () => this.#connections.delete(connection),
    });
    this.#connections.add(connection);
    return connection;
  }

  #headOf(path: string, token: string | null): CallHead {
    const kept = this.#heads.get(path);
    if (kept && kept.headers['token'] === (token ?? undefined)) return kept;
    const head = { path, headers: { ...HEADERS, ...(token === null ? {} : { token }) } };
    this.#heads.set(path, head);
    return head;
  }
}

const HEADERS = {
  'content-type': 'application/grpc',
  te: 'trailers',
  // A member without its leader rejects a call at once (ETCD 2.3).
  hasleader: 'true',
};
