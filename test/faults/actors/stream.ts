import { EventReader } from '../../harness/event-reader.js';
import { MessageReader } from '../../harness/message-reader.js';
import { openCall } from './grpc-stream.js';

/** All that a reader can use. */
export const TRANSPORTS = ['sse', 'websocket', 'grpc'] as const;
export type Transport = (typeof TRANSPORTS)[number];

/** An event of a stream, whatever brought it. */
export interface StreamItem {
  readonly type: string;
  readonly id: string | undefined;
  readonly data: Record<string, unknown>;
}

export interface Stream {
  /** The next event, or null when the stream has ended. */
  next(): Promise<StreamItem | null>;
  close(): void;
  /** Stops reading the socket, and reads it again. Absent: a stream that nobody asks for events does not read it anyway. */
  freeze?(): void;
  thaw?(): void;
}

/**
 * Events that a WebSocket is granted at first, and then each time that it has taken all of them, so that credit runs out;
 * not one by one, since a node takes at most 100 messages a second.
 */
const CREDIT = 20;

/**
 * @param url of the node's HTTP
 * @param query of the stream, without `?`
 * @throws an error whose text begins with the status of a refusal; so does the stream
 */
export async function openStream(transport: Transport, url: string, query: string): Promise<Stream> {
  if (transport === 'grpc') return openCall(url, query);
  return transport === 'sse' ? openEvents(url, query) : openMessages(url, query);
}

async function openEvents(url: string, query: string): Promise<Stream> {
  const reader = await EventReader.open(`${url}/v1/watch?${query}`);
  return {
    next: async () => {
      const event = await reader.next();
      return event && { type: event.event, id: event.id, data: event.data };
    },
    close: () => reader.close(),
  };
}

async function openMessages(url: string, query: string): Promise<Stream> {
  const reader = await MessageReader.open(`${url}/v1/watch?${query}&credit=${CREDIT}`, ['umbra.v1']);
  let taken = 0;
  const next = async (): Promise<StreamItem | null> => {
    const message = await reader.next();
    if (message === null) return null;
    const isCharged = message.type === 'change' || message.type === 'initial';
    if (isCharged && ++taken % CREDIT === 0) reader.grant(CREDIT);
    return { type: message.type, id: message.id, data: message.data };
  };
  const { socket } = reader;
  return { next, close: () => reader.close(), freeze: () => socket.pause(), thaw: () => socket.resume() };
}
