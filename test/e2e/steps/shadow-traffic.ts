import { setTimeout as pause } from 'node:timers/promises';
import { Device, topic } from './device.js';
import type { Rest } from './rest.js';

/** Members that one thing gets, so that its document stays below 8 KB. */
const PER_THING = 40;
const TICK_MS = 10;
/** Updates that nobody has accepted yet, after which no more are sent: an outage must not pile up without end. */
const MAX_OPEN = 10_000;

interface Sent {
  readonly thing: string;
  readonly member: string;
}

/**
 * Updates of `desired` at a steady rate over one connection, each of its own member, and everything that is published
 * about them. What the broker has acknowledged must in the end be accepted, stored, and told as a delta.
 */
export class ShadowTraffic {
  readonly #sent = new Map<string, Sent>();
  readonly #accepted = new Map<string, number>();
  /** Thing to the versions of which a delta, or an accepted, has come. */
  readonly deltas = new Map<string, Set<number>>();
  readonly acceptedVersions = new Map<string, Set<number>>();
  readonly rejected: string[] = [];
  /** Messages beyond the first for the same version: at least once, not exactly once. */
  repeated = 0;
  /** Longest time without an accepted, in milliseconds, since resetGap(). */
  longestGap = 0;
  #lastAccepted = performance.now();
  #count = 0;

  private constructor(
    private readonly name: string,
    private readonly writer: Device,
    private readonly reader: Device,
  ) {
    reader.client.on('message', (at, payload) => this.#hear(at, payload));
  }

  /** @param lasting sessions outlive the broker's restart, and unacknowledged updates are sent again */
  static async start(url: string, name: string, lasting = false): Promise<ShadowTraffic> {
    const session = { clean: false, reconnectPeriod: 100, properties: { sessionExpiryInterval: 600 } };
    const options = lasting ? session : {};
    const traffic = new ShadowTraffic(name, await Device.connect(url, options), await Device.connect(url, options));
    await traffic.reader.subscribe(
      topic('+', 'update/accepted'),
      topic('+', 'update/rejected'),
      topic('+', 'update/delta'),
    );
    return traffic;
  }

  get sent(): number {
    return this.#sent.size;
  }

  get accepted(): number {
    return this.#accepted.size;
  }

  /** Tokens in the order in which the broker has acknowledged their updates. */
  get tokens(): string[] {
    return [...this.#sent.keys()];
  }

  /** Tokens that the broker has acknowledged and nobody has accepted. */
  get unanswered(): string[] {
    return [...this.#sent.keys()].filter((token) => !this.#accepted.has(token));
  }

  /** Whether the updates that nobody has accepted are stored: tells a lost update from a lost message. */
  async explainUnanswered(rest: Rest): Promise<string> {
    let stored = 0;
    const open = this.unanswered;
    for (const token of open) {
      const { thing, member } = this.#sent.get(token) as Sent;
      const { json } = await rest.get(thing);
      if (member in ((json.state?.desired ?? {}) as object)) stored++;
    }
    const refused = `${this.rejected.length} were rejected, e.g. ${this.rejected[0] ?? 'none'}`;
    const which = `e.g. ${open.slice(0, 3).join()} to ${open.at(-1)}`;
    return `${open.length} of ${this.sent} are not accepted, of which ${stored} are stored; ${refused}; ${which}`;
  }

  resetGap(): void {
    this.longestGap = 0;
    this.#lastAccepted = performance.now();
  }

  /** Sends `perSecond` updates for `ms` milliseconds; resolves when the broker has acknowledged them all. */
  async run(perSecond: number, ms: number): Promise<void> {
    const start = performance.now();
    const publishing: Promise<void>[] = [];
    for (let done = 0; performance.now() - start < ms; await pause(TICK_MS)) {
      const due = Math.floor(((performance.now() - start) / 1000) * perSecond);
      for (; done < due && this.#count - this.accepted < MAX_OPEN; done++) publishing.push(this.#publish());
    }
    await Promise.all(publishing);
  }

  /** Members that were accepted and are not stored, and versions without a message. */
  async missing(rest: Rest): Promise<string[]> {
    const problems: string[] = [];
    const things = new Set([...this.#sent.values()].map(({ thing }) => thing));
    for (const thing of things) {
      const { json } = await rest.get(thing);
      // None yet, when nothing of it was carried out.
      const stored = (json.state?.desired ?? {}) as Record<string, unknown>;
      for (const [token, sent] of this.#sent)
        if (sent.thing === thing && this.#accepted.has(token) && !(sent.member in stored))
          problems.push(`${token} lost`);
      for (let version = 1; version <= (json.version ?? 0); version++) {
        if (!this.deltas.get(thing)?.has(version)) problems.push(`${thing}: no delta of version ${version}`);
        if (!this.acceptedVersions.get(thing)?.has(version)) problems.push(`${thing}: version ${version} not accepted`);
      }
    }
    return problems;
  }

  /** The versions of all things that have been written to. */
  async versions(rest: Rest): Promise<Map<string, number>> {
    const versions = new Map<string, number>();
    for (const thing of new Set([...this.#sent.values()].map((sent) => sent.thing)))
      versions.set(thing, ((await rest.get(thing)).json.version as number | undefined) ?? 0);
    return versions;
  }

  async close(): Promise<void> {
    await Promise.all([this.writer.close(), this.reader.close()]);
  }

  async #publish(): Promise<void> {
    const count = this.#count++;
    // Many things at once: the updates of one are carried out one after the other.
    const thing = `${this.name}-${Math.floor(count / (100 * PER_THING))}-${count % 100}`;
    const member = `m${Math.floor(count / 100) % PER_THING}`;
    const clientToken = `${this.name}-${count}`;
    await this.writer.publish(topic(thing, 'update'), { state: { desired: { [member]: count } }, clientToken });
    this.#sent.set(clientToken, { thing, member });
  }

  #hear(at: string, payload: Buffer): void {
    // The reader would keep every message of a long run.
    this.reader.messages.length = 0;
    const thing = at.split('/')[2] as string;
    const message = JSON.parse(payload.toString()) as { version: number; clientToken: string };
    if (at.endsWith('/rejected')) return void this.rejected.push(payload.toString());
    const accepted = at.endsWith('/accepted');
    if (accepted) {
      this.longestGap = Math.max(this.longestGap, performance.now() - this.#lastAccepted);
      this.#lastAccepted = performance.now();
      this.#accepted.set(message.clientToken, message.version);
    }
    const all = accepted ? this.acceptedVersions : this.deltas;
    const versions = all.get(thing) ?? new Set();
    all.set(thing, versions);
    if (versions.has(message.version)) this.repeated++;
    versions.add(message.version);
  }
}
