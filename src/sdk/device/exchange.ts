import type { UmbraError } from '../umbra-error.js';
import { cutOff, lost, rejectionOf } from './refusal.js';
import type { Traced } from '../telemetry/traced.js';
import { MAX_MERGED } from './size-limits.js';
import type { Uplink } from './uplink.js';

const TOO_LARGE = 413;
/** Milliseconds for the answer of a request that may have been refused unread, once both are known. */
const UNREAD_MS = 2_000;

/** What came on `accepted`. */
export type Accepted = Readonly<Record<string, unknown>>;

interface Waiting {
  readonly body: string;
  /** A rejection of something that the service has not read, which may be this. */
  unread?: Accepted;
  isAcknowledged?: true;
  resolve(accepted: Accepted): void;
  reject(error: UmbraError): void;
}

export interface ExchangeParts {
  readonly uplink: Uplink;
  /** Of the requests, without its end. */
  readonly topic: string;
  readonly kind: 'get' | 'update' | 'delete';
  readonly traced: Traced | undefined;
  /** Sees answers to others, too: all who update a shadow are answered on one topic. */
  readonly onAccepted?: (accepted: Accepted) => void;
}

/** Requests of one kind to one shadow, which are told apart by their client tokens. */
export class Exchange {
  readonly #waiting = new Map<string, Waiting>();
  readonly #topics: readonly string[];
  readonly #topic: string;
  readonly #parts: ExchangeParts;

  constructor(parts: ExchangeParts) {
    this.#parts = parts;
    const { uplink, onAccepted } = parts;
    const topic = `${parts.topic}/${parts.kind}`;
    this.#topic = topic;
    this.#topics = [`${topic}/accepted`, `${topic}/rejected`];
    uplink.route(`${topic}/accepted`, (payload) => {
      const accepted = objectOf(payload);
      if (!accepted) return;
      onAccepted?.(accepted);
      this.#take(accepted)?.resolve(accepted);
    });
    uplink.route(`${topic}/rejected`, (payload) => {
      const rejected = objectOf(payload);
      if (!rejected) return;
      const waiting = this.#take(rejected);
      if (waiting) waiting.reject(rejectionOf(rejected));
      else this.#takeUnread(rejected);
    });
    uplink.on('down', (error) => {
      for (const { reject } of this.#waiting.values()) reject(cutOff(error));
      this.#waiting.clear();
    });
  }

  get topics(): readonly string[] {
    return this.#topics;
  }

  /**
   * Sends a request over the present connection and waits for its answer. It is not sent again.
   * @param state JSON of its member `state`; none: it has none
   * @throws UmbraError unreachable and timeout, with the outcome not-applied if it was not sent, unknown if it was; the
   * rejection
   */
  send(clientToken: string, state?: string): Promise<Accepted> {
    const { kind, traced } = this.#parts;
    return traced
      ? traced(`shadow.${kind}`, (context) => this.#send(clientToken, state, context))
      : this.#send(clientToken, state);
  }

  async #send(clientToken: string, state?: string, context?: Readonly<Record<string, string>>): Promise<Accepted> {
    const { uplink } = this.#parts;
    const connection = uplink.readyNow(this.#topics) ?? (await uplink.ready(this.#topics));
    const body = `{"clientToken":${JSON.stringify(clientToken)}${state === undefined ? '' : `,"state":${state}`}}`;
    try {
      return await uplink.answered<Accepted>(connection, 'the answer to a request', (resolve, reject) => {
        this.#waiting.set(clientToken, { body, resolve, reject });
        const refused = async (error: UmbraError): Promise<void> => {
          // A rejection may be there before the PUBACK fails, and says more.
          if (this.#waiting.delete(clientToken)) reject(await uplink.refusalOf(connection, error));
        };
        void connection.publish(this.#topic, body, context).then(() => this.#acknowledged(clientToken), refused);
      });
    } catch (error) {
      this.#waiting.delete(clientToken);
      const { code } = error as UmbraError;
      throw code === 'timeout' ? lost('the service did not answer', 'unknown', error) : error;
    }
  }

  /**
   * A request that is refused for its size is not read, so the rejection has no token, and others who update this shadow
   * hear of theirs on the same topic. It is that of the only one under way, if no other answer comes soon after it and, of a
   * small one, after the PUBACK, which a broker of others sends before any answer.
   */
  #takeUnread(rejected: Accepted): void {
    const [only, ...others] = this.#waiting;
    if (rejected['clientToken'] !== undefined || rejected['code'] !== TOO_LARGE || !only || others.length > 0) return;
    const [token, waiting] = only;
    if (waiting.unread) return;
    waiting.unread = rejected;
    const isLarge = new TextEncoder().encode(waiting.body).length > MAX_MERGED;
    if (isLarge || waiting.isAcknowledged) this.#endSoon(token, rejected);
  }

  #acknowledged(token: string): void {
    const waiting = this.#waiting.get(token);
    if (!waiting) return;
    waiting.isAcknowledged = true;
    if (waiting.unread) this.#endSoon(token, waiting.unread);
  }

  #endSoon(token: string, rejected: Accepted): void {
    this.#parts.uplink.after(UNREAD_MS, () => {
      const waiting = this.#waiting.get(token);
      this.#waiting.delete(token);
      waiting?.reject(rejectionOf(rejected));
    });
  }

  #take({ clientToken }: Accepted): Waiting | undefined {
    if (typeof clientToken !== 'string') return undefined;
    const waiting = this.#waiting.get(clientToken);
    this.#waiting.delete(clientToken);
    return waiting;
  }
}

/** undefined: it is no object. No errors. */
export function objectOf(payload: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(payload);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // What is no JSON is not of the service.
  }
  return undefined;
}
