import type { Connection, ConnectionEvents, Dial, DialOptions } from '../device/connection.js';
import { clientError, type UmbraError } from '../umbra-error.js';

/** A message as a device has published it. */
export interface Published {
  readonly topic: string;
  /** The payload; its JSON, if it is JSON. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests look at any member
  readonly body: any;
}

/** One connection of a device, which a test plays the node of. */
export interface ScriptedConnection {
  readonly options: DialOptions;
  readonly subscribed: readonly string[];
  readonly published: readonly Published[];
  readonly isOpen: boolean;
  /** Sends a message to the device. */
  send(topic: string, body: unknown): void;
  /** Loses the connection; with a reason: ends it by a DISCONNECT. */
  cut(reason?: UmbraError): void;
}

export interface NodeScript {
  /** May refuse a connection by throwing an UmbraError. True: the node has kept the session. */
  connect?(options: DialOptions, index: number): boolean | void | Promise<boolean | void>;
  /** Topics that are refused. */
  refuses?(topic: string): boolean;
  /** What the PUBACK waits for; its refusal, by throwing. */
  publish?(message: Published, connection: ScriptedConnection): void | Promise<void>;
}

/** A node that does what a test says: `dial` of it is an option of `connect`. */
export function scriptedNode(script: NodeScript = {}): { dial: Dial; connections: ScriptedConnection[] } {
  const connections: ScriptedConnection[] = [];
  const dial: Dial = async (options, events) => {
    const hasSession = (await script.connect?.(options, connections.length)) ?? false;
    const connection = new FakeConnection(options, events, script, hasSession);
    connections.push(connection);
    return connection;
  };
  return { dial, connections };
}

class FakeConnection implements Connection, ScriptedConnection {
  readonly subscribed: string[] = [];
  readonly published: Published[] = [];
  isOpen = true;
  readonly #waiting = new Set<(error: UmbraError) => void>();

  constructor(
    readonly options: DialOptions,
    private readonly events: ConnectionEvents,
    private readonly script: NodeScript,
    readonly hasSession: boolean,
  ) {}

  async subscribe(topics: readonly string[]): Promise<readonly string[]> {
    const refused = topics.filter((topic) => this.script.refuses?.(topic));
    this.subscribed.push(...topics.filter((topic) => !refused.includes(topic)));
    return refused;
  }

  publish(topic: string, payload: string): Promise<void> {
    if (!this.isOpen) return Promise.reject(lost());
    const message = { topic, body: parsed(payload) };
    this.published.push(message);
    // Ends as soon as the connection does, as that of mqtt.js.
    return new Promise<void>((resolve, reject) => {
      const end = (error: UmbraError): void => reject(error);
      this.#waiting.add(end);
      const answer = (async () => this.script.publish?.(message, this))();
      answer.then(resolve, reject).finally(() => this.#waiting.delete(end));
    });
  }

  send(topic: string, body: unknown): void {
    if (this.isOpen) this.events.message(topic, typeof body === 'string' ? body : JSON.stringify(body));
  }

  cut(reason = lost()): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    for (const end of this.#waiting) end(lost(reason));
    this.events.closed(reason);
  }

  async leave(): Promise<void> {
    this.cut();
  }
}

const lost = (cause?: UmbraError): UmbraError =>
  clientError('unreachable', 'the connection was cut', { retryable: true, outcome: 'unknown', cause });

function parsed(payload: string): unknown {
  try {
    return JSON.parse(payload);
  } catch {
    return payload;
  }
}
