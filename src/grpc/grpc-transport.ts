import { Inject, Injectable } from '@nestjs/common';
import type { CustomTransportStrategy } from '@nestjs/microservices';
import {
  Metadata,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServerWritableStream,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { ACCESS, type Access } from '../access/access.module.js';
import { CONFIG, type Config } from '../config/config.js';
import type { ServiceErrorCode } from '../errors/error-table.js';
import { ServiceError } from '../errors/service-error.js';
import { CLOCK, type Clock } from '../resilience/clock.js';
import { LOGGER, type Logger } from '../telemetry/logger.js';
import { METRICS, Metrics } from '../telemetry/metrics.js';
import { kindOf, KINDS, OUTCOME_OF, type Kind, type RequestRecorder } from '../telemetry/request-metrics.js';
import type { RequestTrace } from '../telemetry/request-trace.js';
import { TRACER, Tracer } from '../telemetry/tracer.js';
import { beginTrace, endTrace, type EndedCall } from './call-traces.js';
import { GrpcGate, type Caller } from './authenticate.js';
import { GrpcAccess } from './grpc-access.js';
import type { GrpcCall, GrpcStream } from './grpc-call.js';
import { GrpcConnections } from './grpc-connections.js';
import { statusOf } from './grpc-error.js';
import type { DeclaredMethod } from './grpc-handlers.js';
import { GrpcHealth } from './grpc-health.js';
import { GrpcMethods, type Method } from './grpc-methods.js';
import { GrpcServer, type GrpcAddresses } from './grpc-server.js';
import { MessageStream } from './message-stream.js';
import { resetUnlessTaken } from './inside-call.js';

/** Milliseconds after the last call for connections to close by themselves. */
const LINGER_MS = 1_000;
/** Milliseconds for a peer to take an answer, and what comes at the end of a stream, before its call is cut. */
const ANSWER_MS = 30_000;
const END_MS = 5_000;
/** How often a drain looks whether calls are still open, in milliseconds. */
const POLL_MS = 20;

type Message = object | ServiceError;
type UnaryCall = ServerUnaryCall<Message, object>;
type StreamCall = ServerWritableStream<Message, Buffer>;

/** The gRPC door as a Nest transport: has calls of declared methods answered, within their deadlines and bounds. */
@Injectable()
export class GrpcTransport implements CustomTransportStrategy {
  /** No handler names it, so Nest binds none to it (ADR 0025). */
  readonly transportId = Symbol('called directly');
  /** Whether the node is ready for callers; to be set before it listens. */
  isReady: () => boolean = () => true;
  @Inject(METRICS) readonly metrics: Metrics = new Metrics();
  @Inject(TRACER) readonly tracer: Tracer = new Tracer();
  #recorders: Readonly<Record<Kind, RequestRecorder>> | null = null;
  #server: GrpcServer | null = null;
  #gate: GrpcGate | null = null;
  #health: GrpcHealth | null = null;
  #open = 0;
  #draining = false;
  #closing: Promise<void> | null = null;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(ACCESS) private readonly access: Access,
    @Inject(GrpcAccess) private readonly asked: GrpcAccess,
    @Inject(GrpcMethods) private readonly methods: GrpcMethods,
  ) {}

  listen(callback: (error?: unknown) => void): void {
    this.#start().then(() => callback(), callback);
  }

  /** Where gRPC is to be reached. */
  addresses(): GrpcAddresses {
    return this.#server?.addresses() ?? { grpc: null, grpcs: null };
  }

  /** Takes no new calls, lets those in flight end, and closes every connection; within `config.drainTimeoutMs`. */
  close(): Promise<void> {
    return (this.#closing ??= this.#end(this.config.drainTimeoutMs));
  }

  async #start(): Promise<void> {
    const { config, logger, clock } = this;
    const { authenticator, authorizer, audit, routes } = this.access;
    this.#recorders = this.metrics.requests.door('grpc', KINDS);
    this.metrics.requests.readInFlight('grpc', () => this.#open);
    const { declared, services } = this.methods.load();
    const ofNetwork = authenticator.isRequired ? config.rates.connectionsOfAddress : 0;
    const connections = new GrpcConnections({ max: config.grpc.maxConnections, ofNetwork }, logger);
    const gate = new GrpcGate(
      { authenticator, authorizer, audit, routes, connections, clock, logger, refused: this.#refused },
      declared,
    );
    this.#gate = gate;
    this.#health = new GrpcHealth(() => this.isReady(), services.names);
    const { intercept } = gate;
    const asksForCertificates = authenticator.isRequired;
    this.#server = new GrpcServer({
      ...{ config, logger, connections, health: this.#health, services, intercept, asksForCertificates },
      metrics: this.metrics,
    });
    for (const [path, method] of services.methods) {
      this.#server.add({ call: method }, this.#implementation(path, method, declared.get(path)!));
    }
    await this.#server.listen();
    logger.info({ ...this.addresses() }, 'gRPC listens');
  }

  #implementation(path: string, method: Method, declared: DeclaredMethod): UntypedServiceImplementation {
    if (!method.responseStream)
      return { call: (call: UnaryCall, done: sendUnaryData<object>) => void this.#answer(path, declared, call, done) };
    const encode = (answer: object): Buffer => method.responseSerialize(answer);
    return { call: (call: StreamCall) => void this.#stream(path, declared, call, encode) };
  }

  /** Never rejects. */
  async #answer(path: string, method: DeclaredMethod, call: UnaryCall, done: sendUnaryData<object>): Promise<void> {
    const caller = this.#gate!.callerOf(call.metadata);
    const gone = new AbortController();
    call.once('cancelled', () => gone.abort());
    const trailer = new Metadata();
    const say = (name: string, value: string): void => trailer.set(name, value);
    const start = this.clock.monotonic();
    let fault: ServiceErrorCode | null = null;
    let trace: RequestTrace | null = null;
    this.#open++;
    try {
      const places = this.#enter({ path, method, caller, isStream: false }, call.request);
      try {
        trace = beginTrace(this.tracer, kindOf(method.action), caller, call.metadata);
        const asked = { ...this.#callOf(call, path, method, caller), say, trace, signal: gone.signal };
        const answer = await method.handler(asked as never);
        done(null, answer as object, trailer);
      } finally {
        places.leave();
      }
    } catch (error) {
      fault = faultOf(error);
      done(this.#statusOf(error, path, caller));
    } finally {
      this.#open--;
      this.#count(method, fault, start, (ended) => endTrace(this.tracer, trace, caller, { ...ended, path }));
      resetUnlessTaken(call, ANSWER_MS);
    }
  }

  /** Never rejects. */
  async #stream(
    path: string,
    method: DeclaredMethod,
    call: StreamCall,
    encode: (answer: object) => Buffer,
  ): Promise<void> {
    const caller = this.#gate!.callerOf(call.metadata);
    const messages = new MessageStream(call);
    const start = this.clock.monotonic();
    let fault: ServiceErrorCode | null = null;
    this.#open++;
    try {
      const places = this.#enter({ path, method, caller, isStream: true }, call.request);
      try {
        const stream: GrpcStream<object> = {
          ...this.#callOf(call, path, method, caller),
          encode,
          say: (name, value) => call.sendMetadata(metadataOf(name, value)),
          write: (answer) => messages.write(answer),
          abandon: () => messages.abandon(),
          onClose: (listener) => messages.onClose(listener),
        };
        await method.handler(stream as never);
        call.end();
      } finally {
        places.leave();
      }
    } catch (error) {
      fault = faultOf(error);
      call.emit('error', this.#statusOf(error, path, caller));
    } finally {
      this.#open--;
      this.#count(method, fault, start);
      resetUnlessTaken(call, END_MS);
    }
  }

  readonly #refused = (method: DeclaredMethod | undefined, { code }: ServiceError): void =>
    this.#recorders?.[method === undefined ? 'other' : kindOf(method.action)].count(OUTCOME_OF[code]);

  /** @param trace ends the trace; gives the id of one that is kept */
  #count(
    { action }: DeclaredMethod,
    fault: ServiceErrorCode | null,
    start: number,
    trace: (ended: EndedCall) => string | null = () => null,
  ): void {
    const outcome = fault === null ? 'ok' : OUTCOME_OF[fault];
    const kind = kindOf(action);
    const end = this.clock.monotonic();
    const recorder = this.#recorders?.[kind];
    recorder?.record(outcome, end - start);
    const kept = this.tracer.isOn ? trace({ kind, outcome, fault, start, end }) : null;
    if (kept !== null) recorder?.remember(end - start, kept, this.clock.now());
  }

  #enter(
    call: { path: string; method: DeclaredMethod; caller: Caller; isStream: boolean },
    request: Message,
  ): { leave(): void } {
    if (this.#draining) throw new ServiceError('draining');
    if (request instanceof ServiceError) throw request;
    return this.asked.enter({ ...call, request });
  }

  #callOf(
    call: UnaryCall | StreamCall,
    path: string,
    { heeds }: DeclaredMethod,
    { principal, address, requestId }: Caller,
  ): Omit<GrpcCall<object>, 'say'> {
    const own = this.config.requestTimeoutMs;
    const until = call.getDeadline();
    // Of the wall clock, as the library counts it. Infinity: the client waits for ever.
    const left = (until instanceof Date ? until.getTime() : until) - Date.now();
    const deadline = this.clock.monotonic() + Math.max(0, Math.min(own, left));
    const headers = headersOf(call.metadata, heeds);
    return { request: call.request as object, path, headers, principal, address, requestId, deadline };
  }

  #statusOf(error: unknown, path: string, { requestId }: Caller): ReturnType<typeof statusOf> & Error {
    const known = error instanceof ServiceError ? error : new ServiceError('internal');
    if (known.code === 'internal') this.logger.error({ err: error, requestId, path }, 'gRPC call failed');
    return Object.assign(new Error(known.message), statusOf(known, requestId));
  }

  async #end(withinMs: number): Promise<void> {
    this.#draining = true;
    const server = this.#server;
    if (server === null) return;
    // Not the injected clock: a stopped clock of a test must not stop the end.
    const deadline = performance.now() + withinMs;
    this.#health?.drain();
    const closed = server.shutdown();
    while (this.#open > 0 && performance.now() < deadline - LINGER_MS) await pause(POLL_MS);
    if (this.#open > 0) this.logger.warn({ calls: this.#open }, 'gRPC calls were cut off by the shutdown');
    await Promise.race([closed, pause(Math.min(LINGER_MS, withinMs))]);
    server.destroy();
  }
}

const faultOf = (error: unknown): ServiceErrorCode => (error instanceof ServiceError ? error.code : 'internal');

const NO_HEADERS = {};

/** What a method heeds of its metadata. A name that is given several times has all values, as over HTTP. */
function headersOf(metadata: Metadata, heeds: readonly string[]): GrpcCall<unknown>['headers'] {
  if (heeds.length === 0) return NO_HEADERS;
  const headers: Record<string, string> = {};
  for (const name of heeds) {
    const values = metadata.get(name);
    if (values.length > 0) headers[name] = values.join(', ');
  }
  return headers;
}

function metadataOf(name: string, value: string): Metadata {
  const metadata = new Metadata();
  metadata.set(name, value);
  return metadata;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
