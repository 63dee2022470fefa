import { randomUUID } from 'node:crypto';
import { connectAsync, type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt';
import { until } from '../../harness/until.js';

export interface Message {
  readonly topic: string;
  /** The parsed payload, or undefined where it is no JSON. */
  readonly json: any; // eslint-disable-line @typescript-eslint/no-explicit-any -- tests look at any member
  readonly text: string;
  readonly qos: number;
  readonly retain: boolean;
}

export type Operation = 'get' | 'update' | 'delete';

/** `$aws/things/{thing}/shadow[/name/{name}]/{tail}` */
export function topic(thing: string, tail: string, name?: string): string {
  return `$aws/things/${thing}/shadow/${name === undefined ? '' : `name/${name}/`}${tail}`;
}

/** A plain MQTT client that remembers everything it was sent. */
export class Device {
  readonly messages: Message[] = [];
  /** Reason codes of DISCONNECT packets from the broker (MQTT 5). */
  readonly disconnects: number[] = [];

  private constructor(readonly client: MqttClient) {
    client.on('message', (name: string, payload: Buffer, packet: IPublishPacket) => {
      const text = payload.toString();
      this.messages.push({ topic: name, text, json: parse(text), qos: packet.qos, retain: packet.retain });
    });
    client.on('disconnect', (packet) => void this.disconnects.push(packet.reasonCode ?? 0));
    client.on('error', () => undefined);
  }

  static async connect(url: string, options: IClientOptions = {}): Promise<Device> {
    const client = await connectAsync(url, {
      protocolVersion: 5,
      reconnectPeriod: 0,
      connectTimeout: 10_000,
      clientId: `e2e-${randomUUID()}`,
      ...options,
    });
    return new Device(client);
  }

  async subscribe(...topics: string[]): Promise<void> {
    for (const grant of await this.client.subscribeAsync(topics, { qos: 1 })) {
      if (grant.qos > 2) throw new Error(`subscription to ${grant.topic} refused: ${grant.qos}`);
    }
  }

  async publish(name: string, payload: unknown, qos: 0 | 1 = 1): Promise<void> {
    const body = typeof payload === 'string' || Buffer.isBuffer(payload) ? payload : JSON.stringify(payload);
    await this.client.publishAsync(name, body, { qos });
  }

  /** Sends a request with a fresh token and waits for its answer; the answer topics must be subscribed to. */
  async request(thing: string, operation: Operation, body: object = {}, name?: string): Promise<Message> {
    const clientToken = randomUUID();
    await this.publish(topic(thing, operation, name), { ...body, clientToken });
    const answers = ['accepted', 'rejected'].map((end) => topic(thing, `${operation}/${end}`, name));
    return this.next((message) => answers.includes(message.topic) && message.json?.clientToken === clientToken);
  }

  /** The first message, past or to come, that fits. */
  next(fits: (message: Message) => boolean, timeoutMs?: number): Promise<Message> {
    const got = (): string => this.messages.map(({ topic: name, text }) => `${name} ${text.slice(0, 200)}`).join('\n');
    return until(
      () => `a message; had:\n${got()}`,
      () => this.messages.find(fits),
      timeoutMs,
    );
  }

  async close(): Promise<void> {
    await this.client.endAsync(true);
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
