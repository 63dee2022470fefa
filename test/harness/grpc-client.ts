import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import {
  Client,
  credentials,
  loadPackageDefinition,
  Metadata,
  status,
  type CallOptions,
  type ChannelCredentials,
  type ClientReadableStream,
  type ClientUnaryCall,
  type ServiceError as CallError,
} from '@grpc/grpc-js';
import { loadFileDescriptorSetFromBuffer, loadSync } from '@grpc/proto-loader';
import protobuf from 'protobufjs';

const OPTIONS = { longs: Number, enums: String, defaults: true, oneofs: true } as const;
const REFLECTION = join(
  dirname(createRequire(import.meta.url).resolve('@grpc/reflection')),
  '../proto/grpc/reflection/v1/reflection.proto',
);
/** google.rpc, as its authors publish it. */
const RPC = protobuf.parse(
  `syntax = "proto3"; package google.rpc;
   message Any { string type_url = 1; bytes value = 2; }
   message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
   message ErrorInfo { string reason = 1; string domain = 2; map<string, string> metadata = 3; }`,
  { keepCase: false },
).root;

export interface Failure {
  readonly status: string;
  readonly details: string;
  /** Of google.rpc.ErrorInfo; null: the status has no details. */
  readonly reason: string | null;
  readonly facts: Readonly<Record<string, string>>;
  readonly metadata: Metadata;
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests look at any member of a message
export type Message = any;

export interface Carried {
  readonly answer: Message;
  readonly failure: Failure | null;
  readonly trailer: Readonly<Record<string, unknown>>;
}
type Stubs = Record<
  string,
  Record<string, Record<string, new (host: string, tls: ChannelCredentials, options?: object) => Client>>
>;

/** Reads a status as a client of google.rpc does. */
export function failureOf({ code, details, metadata }: CallError): Failure {
  const [bytes] = metadata.get('grpc-status-details-bin');
  const base = { status: status[code], details, metadata };
  if (bytes === undefined) return { ...base, reason: null, facts: {} };
  const read = (type: string, from: Buffer): Message => RPC.lookupType(type).decode(from).toJSON();
  const rich = read('google.rpc.Status', bytes as Buffer);
  const info = rich.details.find((each: Message) => each.typeUrl === 'type.googleapis.com/google.rpc.ErrorInfo');
  const { reason, domain, metadata: facts } = read('google.rpc.ErrorInfo', Buffer.from(info.value, 'base64'));
  if (rich.code !== code || domain !== 'umbra') throw new Error('the details tell of another status');
  return { ...base, reason, facts };
}

/** A client that is made of what the server says of itself, and of nothing that stands here. */
export class GrpcClient {
  readonly #clients: Client[] = [];
  readonly #byService = new Map<string, Client>();

  private constructor(readonly services: readonly string[]) {}

  /** @param url of the node's gRPC */
  static async connect(url: string, tls: ChannelCredentials = credentials.createInsecure()): Promise<GrpcClient> {
    const host = new URL(url).host;
    const { services, files } = await reflect(host, tls);
    const client = new GrpcClient(services);
    const set = Buffer.concat(files.map((file) => Buffer.concat([Buffer.from([0x0a]), lengthOf(file), file])));
    const definition = loadPackageDefinition(loadFileDescriptorSetFromBuffer(set, OPTIONS)) as unknown as Stubs;
    for (const service of services.filter((name) => !name.startsWith('grpc.reflection'))) {
      let at: Message = definition;
      for (const part of service.split('.')) at = at[part];
      // A pool of its own: each client has a connection of its own.
      const stub: Client = new at(host, tls, { 'grpc.use_local_subchannel_pool': 1 });
      client.#clients.push(stub);
      client.#byService.set(service.split('.').at(-1)!, stub);
    }
    return client;
  }

  /** Such as `ask('Shadows/Get', { thing: 'lamp' })`. @throws Failure */
  async ask(method: string, request: object, key: string | null = null, options: CallOptions = {}): Promise<Message> {
    const outcome = await this.try(method, request, key, options);
    if ('answer' in outcome) return outcome.answer;
    throw Object.assign(new Error(`${outcome.failure.status}: ${outcome.failure.details}`), outcome.failure);
  }

  /** As `ask`, for calls that are expected to fail. */
  async failure(
    method: string,
    request: object,
    key: string | null = null,
    options: CallOptions = {},
  ): Promise<Failure> {
    const outcome = await this.try(method, request, key, options);
    if ('failure' in outcome) return outcome.failure;
    throw new Error(`${method} was answered`);
  }

  try(
    method: string,
    request: object,
    key: string | Metadata | null,
    options: CallOptions,
  ): Promise<{ answer: Message } | { failure: Failure }> {
    const [service = '', name = ''] = method.split('/');
    return new Promise((resolve) => {
      const stub = this.#byService.get(service) as Message;
      stub[name](request, metadataOf(key), options, (error: CallError | null, answer: Message) =>
        resolve(error === null ? { answer } : { failure: failureOf(error) }),
      );
    });
  }

  /** As `try`, with metadata beside the key; `trailer` is the metadata that follows the answer. */
  carry(method: string, request: object, headers: Readonly<Record<string, string>>, key: string): Promise<Carried> {
    const [service = '', name = ''] = method.split('/');
    const metadata = metadataOf(key);
    for (const [header, value] of Object.entries(headers)) metadata.set(header, value);
    return new Promise((resolve) => {
      const stub = this.#byService.get(service) as Message;
      let answer: Message = null;
      let failure: Failure | null = null;
      const call = stub[name](request, metadata, (error: CallError | null, message: Message) => {
        failure = error && failureOf(error);
        answer = message ?? null;
      }) as ClientUnaryCall;
      // Comes last.
      call.on('status', ({ metadata: trailer }) => resolve({ answer, failure, trailer: trailer.getMap() }));
    });
  }

  stream(method: string, request: object, key: string | Metadata | null = null, options: CallOptions = {}): GrpcReader {
    const [service = '', name = ''] = method.split('/');
    const stub = this.#byService.get(service) as Message;
    return new GrpcReader(stub[name](request, metadataOf(key), options) as ClientReadableStream<Message>);
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }
}

/** Sends bytes as the message of a call, whatever they are. @returns how it fails */
export function sendRaw(url: string, path: string, bytes: Buffer, key: string): Promise<Failure | null> {
  const client = new Client(new URL(url).host, credentials.createInsecure());
  const asIs = (same: Buffer): Buffer => same;
  return new Promise((resolve) => {
    client.makeUnaryRequest(path, asIs, asIs, bytes, metadataOf(key), (error) => {
      client.close();
      resolve(error && failureOf(error));
    });
  });
}

/** The messages of one stream. */
export class GrpcReader {
  readonly messages: Message[] = [];
  /** Resolves with the status; null: OK. */
  readonly ended: Promise<Failure | null>;

  constructor(readonly call: ClientReadableStream<Message>) {
    call.on('data', (message) => this.messages.push(message));
    this.ended = new Promise((resolve) => {
      call.on('error', (error) => resolve(failureOf(error as CallError)));
      call.on('end', () => resolve(null));
    });
  }

  of(kind: 'change' | 'initial' | 'bookmark' | 'end'): Message[] {
    return this.messages.filter(({ event }) => event === kind);
  }
}

function metadataOf(key: string | Metadata | null): Metadata {
  if (key instanceof Metadata) return key;
  const metadata = new Metadata();
  if (key !== null) metadata.set('authorization', `Bearer ${key}`);
  return metadata;
}

async function reflect(host: string, tls: ChannelCredentials): Promise<{ services: string[]; files: Buffer[] }> {
  const { grpc } = loadPackageDefinition(loadSync(REFLECTION, OPTIONS)) as Message;
  const client = new grpc.reflection.v1.ServerReflection(host, tls, { 'grpc.use_local_subchannel_pool': 1 });
  try {
    const call = client.ServerReflectionInfo();
    const ask = (request: object): Promise<Message> =>
      new Promise((resolve, reject) => {
        call.once('data', resolve);
        call.once('error', reject);
        call.write(request);
      });
    const listed = await ask({ listServices: '*' });
    const services: string[] = listed.listServicesResponse.service.map(({ name }: Message) => name);
    const files = new Map<string, Buffer>();
    for (const name of services.filter((each) => !each.startsWith('grpc.reflection'))) {
      const found = await ask({ fileContainingSymbol: name });
      for (const file of found.fileDescriptorResponse.fileDescriptorProto) files.set(file.toString('hex'), file);
    }
    call.end();
    return { services, files: [...files.values()] };
  } finally {
    client.close();
  }
}

function lengthOf(bytes: Buffer): Uint8Array {
  return protobuf.Writer.create().uint32(bytes.length).finish();
}
