import { SetMetadata, type CustomDecorator } from '@nestjs/common';
import type { TSchema } from 'typebox';

/** A message as the description of the channels shows it. */
export interface MessageDescription {
  /** Of the message among all. */
  readonly name: string;
  readonly summary: string;
  /** Of the payload. */
  readonly schema: TSchema;
  readonly examples?: readonly unknown[];
  /** Of user properties of MQTT 5. */
  readonly headers?: TSchema;
}

/** What goes over a stream. Its path and its parameters are those of its operation. */
export interface StreamDescription {
  /** Messages of the node over a WebSocket. */
  readonly sends: readonly MessageDescription[];
  /** Messages of the client over a WebSocket. */
  readonly receives: readonly MessageDescription[];
  /** Server-sent events by the name of the event: the schema of their data. */
  readonly events: readonly MessageDescription[];
}

/** A topic of MQTT that the node reads, or publishes to. */
export interface TopicDescription {
  readonly name: string;
  /** With the names of its parameters: `$aws/things/{thing}/shadow/get`. */
  readonly topic: string;
  readonly action: 'send' | 'receive';
  readonly message: MessageDescription;
}

/** Metadata key of the topics of a handler. */
const TOPICS = 'umbra:topics';

/** Attaches the topics of a request and of what follows it to its handler, where `asyncApiOf` finds them. */
export const DescribeTopics = (topics: readonly TopicDescription[]): CustomDecorator => SetMetadata(TOPICS, topics);

/** The topics of a handler; none where nothing is attached. No errors. */
export const topicsOf = (handler: object): readonly TopicDescription[] =>
  (Reflect.getMetadata(TOPICS, handler) as readonly TopicDescription[] | undefined) ?? [];
