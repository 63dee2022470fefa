import mqtt, { type MqttClient } from 'mqtt';
import { dueAtOf, tokenOf } from './token.js';
import { Turns } from './turns.js';
import { within } from './within.js';

export type MqttVersion = 4 | 5;

/** The named shadow that each device has beside the classic one, and the one that comes and goes. */
export const NAMED = 'settings';
const PASSING = 'passing';

type Operation = 'update' | 'get' | 'delete';

interface Waiting {
  resolve(): void;
  reject(error: Error): void;
}

/** What is heard of a device beside the answers to its requests. */
export interface DeviceHearer {
  delta(dueAt: number): void;
  closed(): void;
}

/** One device by mqtt.js that updates, reads and deletes shadows of its own; it reports what is desired of it. */
export class SoakDevice {
  readonly #waiting = new Map<string, Waiting>();
  readonly #turns = new Turns();
  #target = 0;
  #count = 0;

  private constructor(
    private readonly client: MqttClient,
    readonly thing: string,
    hearer: DeviceHearer,
  ) {
    client.on('message', (topic, payload) => this.#take(topic, payload.toString(), hearer));
    client.on('close', () => hearer.closed());
    // An error is followed by the end of its connection.
    client.on('error', () => undefined);
  }

  static async connect(port: number, version: MqttVersion, thing: string, hearer: DeviceHearer): Promise<SoakDevice> {
    const options = { clientId: thing, protocolVersion: version };
    const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, options);
    (client.stream as { setNoDelay?(): void }).setNoDelay?.();
    const device = new SoakDevice(client, thing, hearer);
    const operations = ['update', 'get', 'delete'];
    const topics = [null, NAMED, PASSING].flatMap((name) => [
      ...operations.flatMap((each) => ['accepted', 'rejected'].map((end) => `${shadowOf(thing, name)}/${each}/${end}`)),
      `${shadowOf(thing, name)}/update/delta`,
    ]);
    // As many as the SUBSCRIBE of an AWS client may have.
    for (let i = 0; i < topics.length; i += 8) await client.subscribeAsync(topics.slice(i, i + 8), { qos: 0 });
    return device;
  }

  update(dueAt: number, name: string | null): Promise<void> {
    const reported = { count: ++this.#count, target: this.#target, temperature: 20 + (this.#count % 50) / 10 };
    const state = { reported: { ...reported, humidity: 41, door: 'closed', online: true, firmware: '1.4.2' } };
    return this.#request('update', name, tokenOf(dueAt), { state });
  }

  get(dueAt: number, name: string | null): Promise<void> {
    return this.#request('get', name, tokenOf(dueAt), {});
  }

  /** Creates the shadow that comes and goes, or deletes it. */
  comeOrGo(dueAt: number): Promise<'come' | 'gone'> {
    return this.#turns.next(
      () => this.update(dueAt, PASSING),
      () => this.#request('delete', PASSING, tokenOf(dueAt), {}),
    );
  }

  end(): void {
    this.client.removeAllListeners('close');
    this.client.end(true);
  }

  /** Done when it is acknowledged (of updates and deletions) and accepted. */
  async #request(operation: Operation, name: string | null, clientToken: string, body: object): Promise<void> {
    const accepted = new Promise<void>((resolve, reject) => this.#waiting.set(clientToken, { resolve, reject }));
    const payload = JSON.stringify({ ...body, clientToken });
    const qos = operation === 'get' ? 0 : 1;
    const sent = this.client.publishAsync(`${shadowOf(this.thing, name)}/${operation}`, payload, { qos });
    try {
      await within(Promise.all([sent, accepted]));
    } finally {
      this.#waiting.delete(clientToken);
    }
  }

  #take(topic: string, payload: string, hearer: DeviceHearer): void {
    const { clientToken, state, code, message } = JSON.parse(payload) as Message;
    if (topic.endsWith('/update/delta')) {
      this.#target = state?.target ?? this.#target;
      const dueAt = dueAtOf(clientToken);
      if (dueAt !== null) hearer.delta(dueAt);
      return;
    }
    const waiting = this.#waiting.get(clientToken ?? '');
    if (topic.endsWith('/rejected')) waiting?.reject(new Error(`rejected: ${code} ${message}`));
    else waiting?.resolve();
  }
}

interface Message {
  readonly clientToken?: string;
  readonly state?: { readonly target?: number };
  readonly code?: number;
  readonly message?: string;
}

function shadowOf(thing: string, name: string | null): string {
  return `$aws/things/${thing}/shadow${name === null ? '' : `/name/${name}`}`;
}
