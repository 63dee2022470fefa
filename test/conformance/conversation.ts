import type { Filter, Version } from './wire.js';

/** What a step has to wait for on its own connection beside the answer to the PINGREQ behind it. */
export interface Expected {
  readonly kind: 'suback' | 'unsuback' | 'puback';
  readonly id: number;
}

/** What a valid packet asks for, for the table of differences. */
export interface About {
  readonly version: Version;
  /** What is wrong with the packet; null for a valid one. */
  readonly broken: string | null;
  readonly filters?: readonly Filter[];
  readonly unsubscribed?: readonly string[];
  readonly publish?: {
    readonly topic: string;
    readonly qos: number;
    readonly retain: boolean;
    readonly properties: readonly number[];
  };
}

interface OnConnection {
  /** Index of the connection in the conversation; each `open` is a new one. */
  readonly on: number;
  /** Says what is sent, and how it is broken: `subscribe: identifier 0`. */
  readonly label: string;
  readonly about: About;
}

export type Step =
  | (OnConnection & {
      readonly do: 'open';
      readonly version: Version;
      readonly bytes: Buffer;
      /** Acknowledges the messages that it gets. */
      readonly acknowledges: boolean;
      /** Earlier connections of the same client: none of them is there after this one was accepted. */
      readonly ends: readonly number[];
    })
  | (OnConnection & { readonly do: 'send'; readonly bytes: Buffer; readonly expected: readonly Expected[] })
  /** `fin` and `reset` end the TCP connection without a DISCONNECT. */
  | (OnConnection & { readonly do: 'fin' | 'reset' })
  /** Sends nothing until the server ends the connection. */
  | (OnConnection & { readonly do: 'stay silent' });

export interface Conversation {
  readonly index: number;
  readonly steps: readonly Step[];
  /** Every topic of the conversation has one of these as its thing. */
  readonly thing: string;
}

export function show({ index, steps }: Conversation): string {
  const lines = steps.map((step, at) => {
    const bytes = 'bytes' in step ? ` ${step.bytes.toString('hex')}` : '';
    return `  ${at}. connection ${step.on} ${step.do}: ${step.label}${bytes}`;
  });
  return [`conversation ${index}`, ...lines].join('\n');
}

/** The steps without one of them, for shrinking; without an `open`, its connection never exists. */
export function without(conversation: Conversation, step: number): Conversation {
  const left = conversation.steps[step];
  const steps = conversation.steps.filter((one, at) => at !== step && !(left?.do === 'open' && one.on === left.on));
  return { ...conversation, steps };
}
