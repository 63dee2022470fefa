import mqtt, { type MqttClient } from 'mqtt';
import { connect, type Device } from '../../../src/sdk/device/index.js';

/** What a device of a bench can do, whichever way it is made. */
export interface ClientDevice {
  /** Resolves when the update is acknowledged and accepted. */
  report(patch: object): Promise<unknown>;
  /** Calls back with each delta of the shadow. */
  onDelta(listener: (delta: { target?: number }) => void): Promise<void>;
  end(): void;
}

const topicOf = (thing: string, end: string): string => `$aws/things/${thing}/shadow/${end}`;

/** A device of the client library. */
export async function libraryDevice(port: number, thing: string): Promise<ClientDevice> {
  const device: Device = await connect({ url: `mqtt://127.0.0.1:${port}`, thing });
  return {
    report: (patch) => device.shadow.report(patch),
    onDelta: async (listener) => void device.shadow.onDelta((delta) => listener(delta as { target?: number })),
    end: () => void device.close(),
  };
}

/** The same by mqtt.js alone: topics, client tokens and JSON by hand, without anything for the case that something fails. */
export async function bareDevice(port: number, thing: string): Promise<ClientDevice> {
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, { clientId: thing, protocolVersion: 5 });
  (client.stream as { setNoDelay?(): void }).setNoDelay?.();
  const device = new BareDevice(client, thing);
  await client.subscribeAsync([topicOf(thing, 'update/accepted'), topicOf(thing, 'update/rejected')], { qos: 1 });
  return device;
}

class BareDevice implements ClientDevice {
  readonly #waiting = new Map<string, (version: number) => void>();
  readonly #update: string;
  readonly #accepted: string;
  readonly #delta: string;
  #count = 0;
  #listener: (delta: { target?: number }) => void = () => undefined;

  constructor(
    private readonly client: MqttClient,
    private readonly thing: string,
  ) {
    this.#update = topicOf(thing, 'update');
    this.#accepted = topicOf(thing, 'update/accepted');
    this.#delta = topicOf(thing, 'update/delta');
    client.on('message', (topic, payload) => this.#take(topic, JSON.parse(payload.toString()) as Message));
  }

  async report(patch: object): Promise<unknown> {
    const clientToken = `${this.thing}-${++this.#count}`;
    const accepted = new Promise<number>((resolve) => this.#waiting.set(clientToken, resolve));
    await this.client.publishAsync(this.#update, JSON.stringify({ clientToken, state: { reported: patch } }), {
      qos: 1,
    });
    return accepted;
  }

  async onDelta(listener: (delta: { target?: number }) => void): Promise<void> {
    this.#listener = listener;
    await this.client.subscribeAsync(this.#delta, { qos: 1 });
  }

  end(): void {
    this.client.end(true);
  }

  #take(topic: string, { clientToken, version, state }: Message): void {
    if (topic === this.#delta) return this.#listener(state ?? {});
    if (topic !== this.#accepted || clientToken === undefined) return;
    this.#waiting.get(clientToken)?.(version);
    this.#waiting.delete(clientToken);
  }
}

interface Message {
  readonly clientToken?: string;
  readonly version: number;
  readonly state?: { target?: number };
}
