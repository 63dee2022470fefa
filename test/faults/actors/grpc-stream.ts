import { credentials, makeClientConstructor, status, type Client, type ClientReadableStream } from '@grpc/grpc-js';
import type { ServiceDefinition } from '@grpc/proto-loader';
import { loadDefinition } from '../../../src/grpc/grpc-methods.js';
import { SHADOW_PROTO } from '../../../src/shadow/shadow-proto.js';
import type { Stream, StreamItem } from './stream.js';

interface Message {
  readonly event: 'change' | 'initial' | 'bookmark' | 'end';
  readonly cursor?: string;
  readonly change?: Change;
  readonly initial?: Change;
  readonly bookmark?: Record<string, unknown>;
  readonly end?: Record<string, unknown>;
}

interface Change {
  readonly kind: string;
  readonly shadow?: string;
  readonly patch?: string;
  readonly delta?: string;
  readonly document?: string;
}

type Shadows = Client & { watch(request: object): ClientReadableStream<Message> };

/** Statuses by those of HTTP, which readers of all transports know. */
const HTTP: Readonly<Record<number, number>> = {
  [status.INVALID_ARGUMENT]: 400,
  [status.PERMISSION_DENIED]: 403,
  [status.OUT_OF_RANGE]: 410,
  [status.RESOURCE_EXHAUSTED]: 429,
};

/** Where nodes of the lab have gRPC, by the address of their HTTP: that is how actors know a node. */
export const GRPC_HOSTS = new Map<string, string>();

let service: ReturnType<typeof makeClientConstructor> | null = null;

/**
 * A stream on a connection of its own. A refusal is thrown by `next`, with the status of HTTP first.
 * @param url of the node's HTTP
 * @param query as over HTTP
 */
export function openCall(url: string, query: string): Stream {
  service ??= makeClientConstructor(loadDefinition(SHADOW_PROTO)['umbra.v1.Shadows'] as ServiceDefinition, 'Shadows');
  const host = GRPC_HOSTS.get(url) ?? '';
  const options = { 'grpc.use_local_subchannel_pool': 1 };
  const client = new service(host, credentials.createInsecure(), options) as unknown as Shadows;
  const call = client.watch(requestOf(query));
  // Else an error while nobody waits for the next message would end the lab.
  call.on('error', () => undefined);
  const messages = call[Symbol.asyncIterator]() as AsyncIterator<Message, undefined>;
  const next = async (): Promise<StreamItem | null> => {
    try {
      const { value } = await messages.next();
      return value === undefined ? null : itemOf(value);
    } catch (error) {
      const { code = status.UNKNOWN, details } = error as { code?: number; details?: string };
      if (code === status.CANCELLED) return null;
      throw new Error(`status ${HTTP[code] ?? 503}: ${details ?? String(error)}`);
    }
  };
  const close = (): void => {
    call.cancel();
    client.close();
  };
  return { next, close };
}

function requestOf(query: string): object {
  const parameters = new URLSearchParams(query);
  const all = (name: string): string[] => parameters.getAll(name);
  const flags = ['delta', 'real', 'previous', 'initial'].map((name) => [name, parameters.get(name) === 'true']);
  return {
    ...{ thing: all('thing'), shadow: all('shadow'), path: all('path') },
    kind: all('kind').map((kind) => kind.toUpperCase()),
    ...Object.fromEntries(flags),
    ...(parameters.has('cursor') && { cursor: parameters.get('cursor') }),
  };
}

function itemOf({ event, cursor: id, ...all }: Message): StreamItem {
  const data = all[event] ?? {};
  const isChange = event === 'change' || event === 'initial';
  return { type: event, id, data: isChange ? dataOf(data as Change) : (data as Record<string, unknown>) };
}

/** As the other transports tell it. */
function dataOf(change: Change): Record<string, unknown> {
  const { kind, shadow = null, patch = 'null', delta = 'null', document = 'null' } = change;
  const texts = Object.entries({ patch, delta, document });
  const parsed = Object.fromEntries(texts.map(([name, text]) => [name, JSON.parse(text) as unknown]));
  return { ...change, kind: kind.toLowerCase(), shadow, ...parsed };
}
