import { pauseAfter, type BackOff } from '../back-off.js';
import type { Platform } from '../platform.js';
import type { Written } from '../shadow/state.js';
import { clientError, type UmbraError } from '../umbra-error.js';
import { aborted, pause } from '../within.js';
import type { Exchange } from './exchange.js';
import { jsonOf, type Json } from './merge.js';
import type { KeptReports } from './kept-reports.js';
import { ReportQueue, type Update } from './report-queue.js';
import { faultOf } from './refusal.js';
import type { Uplink } from './uplink.js';
import { settled } from './settled.js';

/** Of a shadow after a report. */
export type Reported = Pick<Written, 'version'>;

export interface WaitOptions {
  readonly signal?: AbortSignal;
  /** Milliseconds for the wait. */
  readonly timeoutMs?: number;
}

export interface ReportParts {
  readonly uplink: Uplink;
  readonly platform: Platform;
  readonly exchange: Exchange;
  readonly kept: KeptReports | null;
  /** Characters that may wait. */
  readonly maxWaiting: number;
  readonly retry: BackOff;
  readonly timeoutMs: number;
}

/** Rejections of what was sent: reports that were merged into it may be good alone. */
const OF_CONTENT = new Set([400, 413]);
/**
 * Rejection of what came over a connection that is not the newest of the device (`UMBRA_PRESENCE_FENCE`): a report names no
 * version that it could be in conflict with. It may be of an earlier sending, when this one is still under way.
 */
const OF_CONNECTION = 409;

/** Characters of an outbox, which writes all of them at each save, from which on reports are merged for good. */
const MAX_KEPT_APART = 16_384;

/**
 * Ends of a connection by a fault of some message, while one report was under way alone: then it is taken for that message,
 * or it would end each connection.
 */
const MAX_FAULTS = 3;

/**
 * Reports of one shadow, one update under way at a time, so that none overtakes another. What waits is merged. An update
 * is sent again, with its client token, until it is accepted or rejected.
 */
export class Reports {
  readonly #parts: ReportParts;
  readonly #queue: ReportQueue<Reported>;
  #flying: Update<Reported> | null = null;
  /** Whether the update under way may have been carried out. */
  #isDoubtful = false;
  #pumping: Promise<void> | null = null;
  #isLoaded: boolean;
  /** Waits until nothing is left. */
  readonly #idle = new Set<() => void>();

  constructor(parts: ReportParts) {
    this.#parts = parts;
    const maxApart = parts.kept === null ? Infinity : MAX_KEPT_APART;
    this.#queue = new ReportQueue(parts.platform.newId, { maxWaiting: parts.maxWaiting, maxApart });
    this.#isLoaded = parts.kept === null;
    if (!this.#isLoaded) this.#pump();
  }

  /**
   * Sends a patch of the reported section; null clears it. The promise may be left alone: its rejection does no harm.
   * @throws UmbraError timeout, aborted or closed: with the outcome unknown it may still be stored; outbox-full; the
   * rejection
   */
  report(patch: unknown, { timeoutMs, signal }: WaitOptions = {}): Promise<Reported> {
    const { platform, uplink } = this.#parts;
    const ms = timeoutMs ?? this.#parts.timeoutMs;
    const what = 'the report';
    // Once it waits in the queue it will be sent, whether anybody waits for it or not.
    const limit = { clock: platform.clock, ms, what, signals: signal ? [signal] : [], outcome: 'unknown' } as const;
    const reported = settled<Reported>(limit, (resolve, reject) => {
      if (uplink.closed.aborted) return reject(aborted(what, uplink.closed));
      this.#queue.add(reportOf(patch), [{ resolve, reject }]);
      this.#pump();
      this.#keep();
    });
    reported.catch(() => undefined);
    return reported;
  }

  /** Waits until nothing is left, or the signal aborts. No errors. */
  async idle(signal: AbortSignal): Promise<void> {
    if (this.#pumping === null || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const end = (): void => {
        this.#idle.delete(end);
        signal.removeEventListener('abort', end);
        resolve();
      };
      this.#idle.add(end);
      signal.addEventListener('abort', end, { once: true });
    });
  }

  /** Waits until the outbox has what waits. No errors. */
  async saved(): Promise<void> {
    await this.#parts.kept?.saved();
  }

  /** Waits until what was reported so far is answered. No errors. */
  async caughtUp(): Promise<void> {
    const last = this.#queue.updates.at(-1) ?? this.#flying;
    if (last)
      await new Promise<void>((resolve) => last.waiters.push({ resolve: () => resolve(), reject: () => resolve() }));
  }

  /** What is not answered, in its parts, so that another process can still send them apart. */
  get #left(): readonly Update<Reported>[] {
    const flying = this.#flying === null ? [] : [this.#flying];
    return [...flying, ...this.#queue.updates].flatMap((update) => (update.parts.length > 1 ? update.parts : [update]));
  }

  #keep(left = (): readonly Update<Reported>[] => this.#left): void {
    if (this.#isLoaded) this.#parts.kept?.keep(left);
  }

  #pump(): void {
    this.#pumping ??= this.#send()
      .catch((error: UmbraError) => this.#fail(error))
      .finally(() => {
        this.#pumping = null;
        if (!this.#queue.isEmpty) return this.#pump();
        for (const end of [...this.#idle]) end();
      });
  }

  /** @throws UmbraError closed */
  async #send(): Promise<void> {
    const { kept, uplink } = this.#parts;
    if (!this.#isLoaded) {
      this.#queue.restore((await kept?.load()) ?? []);
      this.#isLoaded = true;
      this.#keep();
    }
    for (;;) {
      // What is reported in one go, or while there is no connection, becomes part of this update.
      if (!this.#queue.isEmpty) await (uplink.isUp ? null : uplink.up(uplink.closed));
      this.#flying = this.#queue.take();
      this.#keep();
      if (kept) await kept.saved();
      if (this.#flying === null) return;
      await this.#untilAnswered(this.#flying);
      [this.#flying, this.#isDoubtful] = [null, false];
    }
  }

  /** @throws UmbraError closed */
  async #untilAnswered(update: Update<Reported>): Promise<void> {
    const { uplink, exchange, platform, retry } = this.#parts;
    const state = `{"reported":${update.text}}`;
    for (let [failures, faults] = [0, 0]; ;) {
      if (!uplink.isUp) await uplink.up(uplink.closed);
      try {
        const { version } = await exchange.send(update.clientToken, state);
        for (const { resolve } of update.waiters) resolve({ version: Number(version) });
        return;
      } catch (caught) {
        const error = caught as UmbraError;
        if (error.outcome === 'unknown') this.#isDoubtful = true;
        if (uplink.closed.aborted) throw aborted('the report', uplink.closed);
        if (!error.retryable && error.status !== OF_CONNECTION) return this.#rejected(update, error);
        const fault = faultOf(error);
        if (fault && this.#queue.split(update)) return;
        if (fault && ++faults === MAX_FAULTS) return this.#rejected(update, fault.withOutcome('unknown'));
        // Without a connection, the pause is that of connecting.
        if (!uplink.isUp) continue;
        await pause(platform.clock, pauseAfter(++failures, retry, platform.random()), uplink.closed, 'the report');
      }
    }
  }

  #rejected(update: Update<Reported>, error: UmbraError): void {
    if (OF_CONTENT.has(error.status ?? 0) && this.#queue.split(update)) return;
    this.#parts.platform.logger.warn({ code: error.code, status: error.status }, 'a report was rejected');
    for (const { reject } of update.waiters) reject(error);
  }

  /** Nothing is sent any more. An outbox keeps what waits. */
  #fail(error: UmbraError): void {
    const { kept } = this.#parts;
    const left = this.#left;
    this.#keep(() => left);
    const [flying, rest] = [this.#flying?.waiters ?? [], this.#queue.clear().flatMap(({ waiters }) => waiters)];
    this.#flying = null;
    for (const { reject } of flying) reject(error.withOutcome(this.#isDoubtful || kept ? 'unknown' : 'not-applied'));
    for (const { reject } of rest) reject(error.withOutcome(kept ? 'unknown' : 'not-applied'));
  }
}

/** @throws UmbraError invalid-argument */
function reportOf(patch: unknown): Json {
  const json = jsonOf(patch);
  if (typeof json !== 'object' || Array.isArray(json))
    throw clientError('invalid-argument', 'a report is an object, or null to clear the section');
  return json;
}
