import { pauseAfter, type BackOff } from '../back-off.js';
import type { Platform } from '../platform.js';
import type { Traced } from '../telemetry/traced.js';
import type { AnyState, DeepPartial, DesiredOf, ReportedOf } from '../shadow/state.js';
import { clientError, type UmbraError } from '../umbra-error.js';
import { pause, within } from '../within.js';
import { DeltaRuns, type DeltaHandler } from './delta-runs.js';
import { DeltaSource, type Present } from './delta-source.js';
import { Exchange, objectOf, type Accepted } from './exchange.js';
import { KeptReports } from './kept-reports.js';
import { documentsOf, stateOf, type DeviceState, type Documents } from './messages.js';
import type { Outbox } from './outbox.js';
import { Reports, type Reported, type WaitOptions } from './reports.js';
import type { Uplink } from './uplink.js';

export interface ShadowParts {
  readonly uplink: Uplink;
  readonly platform: Platform;
  readonly thing: string;
  /** null: the classic one. */
  readonly name: string | null;
  readonly outbox: Outbox | null;
  readonly maxWaiting: number;
  readonly retry: BackOff;
  readonly handlerMs: number;
  readonly timeoutMs: number;
  readonly answerMs: number;
  readonly traced: Traced | undefined;
}

/** A shadow of the device. Nothing is subscribed before it is needed. */
export class DeviceShadow<T = AnyState> {
  readonly #parts: ShadowParts;
  readonly #topic: string;
  readonly #get: Exchange;
  readonly #update: Exchange;
  readonly #delete: Exchange;
  readonly #reports: Reports;
  readonly #deltas: DeltaSource<DeepPartial<DesiredOf<T>>>;
  readonly #listeners = new Set<(documents: Documents<T>) => void>();
  #runs: DeltaRuns<DeepPartial<DesiredOf<T>>, DeepPartial<ReportedOf<T>>> | null = null;

  /** @internal */
  constructor(parts: ShadowParts) {
    this.#parts = parts;
    const { uplink, thing, name, platform, outbox } = parts;
    this.#topic = `$aws/things/${thing}/shadow${name === null ? '' : `/name/${name}`}`;
    const exchange = { uplink, topic: this.#topic, traced: parts.traced };
    this.#get = new Exchange({ ...exchange, kind: 'get' });
    const onAccepted = ({ version }: Accepted): void => this.#deltas.accepted(Number(version ?? 0));
    this.#update = new Exchange({ ...exchange, kind: 'update', onAccepted });
    this.#delete = new Exchange({ ...exchange, kind: 'delete' });
    const kept = outbox && new KeptReports(outbox, name, platform.logger);
    this.#reports = new Reports({ ...parts, exchange: this.#update, kept });
    this.#deltas = this.#source();
    uplink.route(`${this.#topic}/update/documents`, (payload) => this.#tell(payload));
    uplink.on('up', () => this.#listen());
  }

  get thing(): string {
    return this.#parts.thing;
  }

  /** null: the classic one. */
  get name(): string | null {
    return this.#parts.name;
  }

  /**
   * Runs `handler` for what is desired and not reported: one run at a time, for the newest delta, again after a pause
   * until it succeeds. What it returns is reported. After each connection it gets the present delta, if there is one.
   * @returns a function that removes the handler
   * @throws UmbraError invalid-argument if there is a handler already
   */
  onDelta(handler: DeltaHandler<DeepPartial<DesiredOf<T>>, DeepPartial<ReportedOf<T>>>): () => void {
    if (this.#runs) throw clientError('invalid-argument', 'there is a handler of deltas already; remove it first');
    const runs = new DeltaRuns({ ...this.#parts, handler, report: (patch) => this.report(patch) });
    this.#runs = runs;
    this.#deltas.runs = runs;
    return () => {
      runs.close();
      if (this.#runs !== runs) return;
      this.#runs = null;
      this.#deltas.runs = undefined;
    };
  }

  /**
   * Calls `listener` with the shadow before and after each update. Updates of meanwhile are lost with the session.
   * @returns a function that removes it
   */
  onDocuments(listener: (documents: Documents<T>) => void): () => void {
    this.#listeners.add(listener);
    this.#listen();
    return () => this.#listeners.delete(listener);
  }

  /**
   * Merges a patch into what is reported; null removes a member, or all. Without a connection it waits, merged with what
   * else waits. Reports are stored in their order. The promise may be left alone.
   * @throws UmbraError timeout, aborted, closed: the outcome says whether it may still be stored; outbox-full;
   * invalid-argument; the rejection
   */
  report(patch: DeepPartial<ReportedOf<T>> | null, options: WaitOptions = {}): Promise<Reported> {
    return this.#reports.report(patch, options);
  }

  /** null: there is no shadow. Waits for a connection. @throws UmbraError */
  get(options: WaitOptions = {}): Promise<DeviceState<T> | null> {
    return this.#within(options, 'the shadow', async (signal) => {
      for (let failures = 0; ;) {
        await this.#parts.uplink.up(signal);
        try {
          return await this.#ask();
        } catch (error) {
          if (!(error as UmbraError).retryable) throw (error as UmbraError).withOutcome('not-applied');
        }
        const { platform, retry } = this.#parts;
        await pause(platform.clock, pauseAfter(++failures, retry, platform.random()), signal, 'the shadow');
      }
    });
  }

  /**
   * Deletes the shadow; false: there was none. It is sent once, because another try might delete a newer shadow.
   * @throws UmbraError with the outcome unknown if the answer was lost
   */
  delete(options: WaitOptions = {}): Promise<boolean> {
    let isSent = false;
    const deleted = this.#within(options, 'the deletion', async (signal) => {
      await this.#parts.uplink.up(signal);
      isSent = true;
      try {
        await this.#delete.send(this.#parts.platform.newId());
        return true;
      } catch (error) {
        if ((error as UmbraError).status === 404) return false;
        throw error;
      }
    });
    return deleted.catch((error: UmbraError) => {
      const isOver = error.code === 'timeout' || error.code === 'aborted' || error.code === 'closed';
      throw isOver && isSent ? error.withOutcome('unknown') : error;
    });
  }

  /** Waits for reports that wait. No errors. @internal */
  idle(signal: AbortSignal): Promise<void> {
    return this.#reports.idle(signal);
  }

  /** @internal */
  saved(): Promise<void> {
    return this.#reports.saved();
  }

  /** @internal */
  close(): void {
    this.#runs?.close();
    this.#listeners.clear();
  }

  #within<R>({ signal, timeoutMs }: WaitOptions, what: string, task: (signal: AbortSignal) => Promise<R>): Promise<R> {
    const { platform, uplink } = this.#parts;
    const ms = timeoutMs ?? this.#parts.timeoutMs;
    return within({ clock: platform.clock, ms, what, signals: [signal, uplink.closed] }, task);
  }

  /** Asks once. @throws UmbraError */
  async #ask(): Promise<DeviceState<T> | null> {
    try {
      const accepted = await this.#get.send(this.#parts.platform.newId());
      return stateOf<T>(accepted, { thing: this.thing, shadow: this.name });
    } catch (error) {
      if ((error as UmbraError).status === 404) return null;
      throw error;
    }
  }

  #source(): DeltaSource<DeepPartial<DesiredOf<T>>> {
    const { uplink, platform, answerMs } = this.#parts;
    const topic = `${this.#topic}/update/delta`;
    const topics = [topic, ...this.#get.topics, ...this.#update.topics];
    const source = new DeltaSource<DeepPartial<DesiredOf<T>>>({
      ...this.#parts,
      subscribe: () => uplink.ready(topics),
      ask: (): Promise<Present<DeepPartial<DesiredOf<T>>> | null> => this.#ask(),
      reported: () =>
        within({ clock: platform.clock, ms: answerMs, what: 'earlier reports' }, () => this.#reports.caughtUp()).catch(
          () => undefined,
        ),
    });
    uplink.route(topic, (payload) => {
      const { version, state } = objectOf(payload) ?? {};
      if (typeof version === 'number' && typeof state === 'object') source.delta(version, state as never);
    });
    return source;
  }

  /** Has documents sent, if somebody listens. */
  #listen(): void {
    const { uplink, platform } = this.#parts;
    if (this.#listeners.size === 0 || !uplink.isUp) return;
    uplink.ready([`${this.#topic}/update/documents`]).catch((error: UmbraError) => {
      // A lost connection comes back, and asks again.
      if (!error.retryable) platform.logger.error({ code: error.code }, 'documents are refused');
    });
  }

  #tell(payload: string): void {
    const body = objectOf(payload);
    const documents = body && documentsOf<T>(body, { thing: this.thing, shadow: this.name });
    if (!documents) return;
    for (const listener of [...this.#listeners]) {
      try {
        listener(documents);
      } catch (error) {
        this.#parts.platform.logger.error({ error }, 'a listener of documents has failed');
      }
    }
  }
}
