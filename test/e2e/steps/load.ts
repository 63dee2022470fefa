import { setTimeout as pause } from 'node:timers/promises';
import { Device, topic } from './device.js';
import { Rest, type Answer } from './rest.js';

/** Updates of one thing: far below the size limit of a document. */
const PER_THING = 100;
/** Milliseconds between two updates of one writer. */
const INTERVAL_MS = 10;

interface Written {
  readonly thing: string;
  readonly member: string;
}

/** Writers that each add members of their own; what was acknowledged can be looked up afterwards. */
export class Load {
  /** Answered with 200, or PUBACK without a `rejected`. */
  readonly acknowledged: Written[] = [];
  /** Answers of the REST API that were not 200; a connection that broke counts as `null`. */
  readonly refusals: (Answer | null)[] = [];
  /** Codes of `rejected` messages. */
  readonly rejections: number[] = [];
  readonly #rejectedTokens = new Set<string>();
  readonly #pending: { readonly token: string; readonly written: Written }[] = [];
  readonly #workers: Promise<void>[] = [];
  #stopped = false;
  /** Longest time of a REST request, in milliseconds. */
  slowest = 0;

  constructor(private readonly prefix: string) {}

  rest(base: string, writers: number): void {
    for (let writer = 0; writer < writers; writer++) {
      this.#workers.push(this.#restWriter(new Rest(base), `${this.prefix}-rest-${writer}`));
    }
  }

  async mqtt(url: string, writers: number): Promise<void> {
    for (let writer = 0; writer < writers; writer++) {
      // A session that stays: what is sent again after a lost connection may be rejected before a new SUBSCRIBE is there.
      const session = { clean: false, properties: { sessionExpiryInterval: 600 } };
      const device = await Device.connect(url, { reconnectPeriod: 200, ...session });
      device.client.on('message', (_name, payload) => this.#noteRejected(payload));
      await device.subscribe(topic('+', 'update/rejected'));
      this.#workers.push(this.#mqttWriter(device, `${this.prefix}-mqtt-${writer}`));
    }
  }

  /** PUBACKs included that are not yet told apart from rejections. */
  get progress(): number {
    return this.acknowledged.length + this.#pending.length;
  }

  /** Ends the writers after what they are at. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#workers);
    const acknowledged = this.#pending.filter(({ token }) => !this.#rejectedTokens.has(token));
    this.acknowledged.push(...acknowledged.map(({ written }) => written));
    this.#pending.length = 0;
  }

  /** Acknowledged updates that are not in their shadow. */
  async missing(base: string): Promise<Written[]> {
    const rest = new Rest(base);
    const states = new Map<string, Record<string, unknown>>();
    for (const thing of new Set(this.acknowledged.map((written) => written.thing))) {
      const { json } = await rest.get(thing);
      states.set(thing, json?.state?.reported ?? {});
    }
    return this.acknowledged.filter(({ thing, member }) => !Object.hasOwn(states.get(thing) ?? {}, member));
  }

  async #restWriter(rest: Rest, name: string): Promise<void> {
    for (let count = 0; !this.#stopped; count++) {
      const written = { thing: `${name}-${Math.floor(count / PER_THING)}`, member: `m${count}` };
      const answer = await rest
        .update(written.thing, { state: { reported: { [written.member]: 1 } } })
        .catch(() => null);
      this.slowest = Math.max(this.slowest, answer?.took ?? 0);
      if (answer?.status === 200) this.acknowledged.push(written);
      else this.refusals.push(answer);
      await pause(INTERVAL_MS);
    }
  }

  async #mqttWriter(device: Device, name: string): Promise<void> {
    for (let count = 0; !this.#stopped; count++) {
      const written = { thing: `${name}-${Math.floor(count / PER_THING)}`, member: `m${count}` };
      const token = `${name}-${count}`;
      const update = { state: { reported: { [written.member]: 1 } }, clientToken: token };
      const sent = device.publish(topic(written.thing, 'update'), update).then(
        () => true,
        () => false,
      );
      // A publish that a lost connection swallowed is not waited for past the end of the test.
      if (await Promise.race([sent, this.#stopping()])) this.#pending.push({ token, written });
      await pause(INTERVAL_MS);
    }
    await device.close();
  }

  async #stopping(): Promise<false> {
    while (!this.#stopped) await pause(50);
    // What is under way may still be acknowledged.
    await pause(1000);
    return false;
  }

  #noteRejected(payload: Buffer): void {
    const { clientToken, code } = JSON.parse(payload.toString());
    this.rejections.push(code as number);
    this.#rejectedTokens.add(clientToken as string);
  }
}
