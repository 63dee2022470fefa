import { startMqttNode, type MqttNode } from './mqtt-node.js';
import { RawMqttClient, type Answer, type ConnectOptions, type Level } from './raw-mqtt-client.js';

/** Seconds of a session that never ends by itself. */
const NEVER = 0xffff_ffff;

export const base = (thing: string): string => `$aws/things/${thing}/shadow`;
export const reported = (n: number): object => ({ state: { reported: { n } } });

/** What keeps a session behind its connection. */
export const persistent = (level: Level, clientId: string): ConnectOptions => ({
  clientId,
  clean: false,
  ...(level === 5 && { properties: { sessionExpiryInterval: NEVER } }),
});

export const connack = (client: RawMqttClient): Answer => client.answers[0] as Answer;
/** The code of a CONNACK, PUBACK or DISCONNECT. */
export const codeOf = (answer: Answer): unknown => answer.reasonCode ?? answer.returnCode;

/** The numbers in the `accepted` messages that a client got, in their order. */
export function accepted(client: RawMqttClient, thing: string): number[] {
  return client
    .all('publish')
    .filter(({ topic }) => topic === `${base(thing)}/update/accepted`)
    .map(({ payload }) => JSON.parse(String(payload)).state.reported.n as number);
}

/** A node that is asked by clients that do only what they are told. */
export class StatementsNode {
  readonly #clients: RawMqttClient[] = [];

  private constructor(private readonly node: MqttNode) {}

  static async start(): Promise<StatementsNode> {
    return new StatementsNode(await startMqttNode({ mqtt: { deltaOnSubscribe: false } }));
  }

  /** A client that has sent nothing yet. */
  client(level: Level): RawMqttClient {
    const client = new RawMqttClient(this.node.port, level);
    this.#clients.push(client);
    return client;
  }

  /** A client that has its CONNACK. */
  async open(level: Level, options?: ConnectOptions): Promise<RawMqttClient> {
    const client = this.client(level);
    await client.connect(options);
    return client;
  }

  /** Updates a thing as another client, once for each number, and waits for each PUBACK. */
  async update(thing: string, ...numbers: readonly number[]): Promise<void> {
    const writer = await this.open(4);
    for (const [i, n] of numbers.entries()) {
      writer.publish(`${base(thing)}/update`, reported(n));
      await writer.next('puback', i + 1);
    }
    await writer.breakOff();
  }

  isConnected(clientId: string): boolean {
    return this.node.broker.clients().some((client) => client.clientId === clientId);
  }

  attachHttp(): Promise<number> {
    return this.node.attachHttp();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.breakOff()));
    await this.node.stop();
  }
}
