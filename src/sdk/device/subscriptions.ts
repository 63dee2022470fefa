import { clientError, type UmbraError } from '../umbra-error.js';
import type { Connection } from './connection.js';

/** What a connection is subscribed to, each topic asked for once. */
export class Subscriptions {
  readonly #asked = new Map<string, Promise<void>>();
  readonly #granted = new Set<string>();
  /** Of the connection before. */
  readonly #before: readonly string[];

  constructor(
    private readonly connection: Connection,
    before: Subscriptions | null,
  ) {
    this.#before = before?.topics ?? [];
  }

  get topics(): readonly string[] {
    return [...this.#asked.keys()];
  }

  has(topics: readonly string[]): boolean {
    return topics.every((topic) => this.#granted.has(topic));
  }

  /**
   * Takes over what the connection before had. What is refused now stays wanted: policies may change.
   * @throws UmbraError unreachable
   */
  async again(): Promise<void> {
    if (this.#before.length === 0) return;
    if (!this.connection.hasSession) return this.add(this.#before).catch(passRefusal);
    for (const topic of this.#before) {
      this.#granted.add(topic);
      this.#asked.set(topic, Promise.resolve());
    }
  }

  /** @throws UmbraError not-allowed, unreachable */
  async add(topics: readonly string[]): Promise<void> {
    const missing = topics.filter((topic) => !this.#asked.has(topic));
    if (missing.length > 0) this.#ask(missing);
    await Promise.all(topics.map((topic) => this.#asked.get(topic)));
  }

  #ask(topics: readonly string[]): void {
    const answer = this.connection.subscribe(topics);
    for (const topic of topics) {
      const asked = answer.then((refused) => {
        if (refused.includes(topic)) throw refusal(topic);
        this.#granted.add(topic);
      });
      // Whoever needs it asks again.
      asked.catch(() => this.#asked.delete(topic));
      this.#asked.set(topic, asked);
    }
  }
}

const refusal = (topic: string): UmbraError =>
  clientError('forbidden', `the service does not let this device subscribe to ${topic}`, { status: 403 });

function passRefusal(error: UmbraError): void {
  if (error.code !== 'forbidden') throw error;
}
