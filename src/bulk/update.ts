import { Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { CONFIG, type Config } from '../config/config.js';
import type { ShadowDocument } from '../document/shadow-document.js';
import { ServiceError } from '../errors/service-error.js';
import { fingerprintOfLine, hasIdempotencyKey, placeOfLine } from '../idempotency/idempotency-key.js';
import type { Answer } from '../idempotency/kept-answer.js';
import { LINES, type Keyed } from '../idempotency/keyed.js';
import { hasLease, LeasedWrites } from '../leases/leased-writes.js';
import { CLOCK, type Clock } from '../resilience/clock.js';
import { IdempotentChange } from '../shadow/idempotent-change.js';
import type { LiveRecord } from '../shadow/get.js';
import { UpdateShadow } from '../shadow/update.js';
import type { Changed, Fence } from '../store/shadow-store.js';
import type { LineResult } from './bulk-texts.js';
import type { Line } from './line-reader.js';
import type { LineChange } from './parse-line.js';

/** Carries out the lines of bulk requests. The answers to subscribers come from the feed, never from here. */
@Injectable()
export class ChangeInBulk {
  constructor(
    private readonly updates: UpdateShadow,
    private readonly idempotent: IdempotentChange,
    private readonly leases: LeasedWrites,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** What makes a line the same one when it comes again; null: the request has no key. @throws ServiceError invalidRequest */
  keyed(request: FastifyRequest, { number, bytes }: Line, id: string | null): Keyed | null {
    if (!hasIdempotencyKey(request)) return null;
    const { tenant } = request.principal;
    return { tenant, place: placeOfLine(request, id ?? number), fingerprint: fingerprintOfLine(bytes), bounds: LINES };
  }

  /** Its time begins now, as if it had come as a request of its own. It rejects for defects alone. */
  async change(request: FastifyRequest, change: LineChange, keyed: Keyed | null): Promise<LineResult> {
    try {
      return await (keyed === null ? this.#change(request, change) : this.#once(request, change, keyed));
    } catch (error) {
      if (error instanceof ServiceError) return error;
      throw error;
    }
  }

  async #change(request: FastifyRequest, { thing, shadow, update }: LineChange): Promise<LineResult> {
    const call = this.#callOf(request, thing, shadow);
    const write = (fence?: Fence): Promise<LiveRecord> => this.updates.update({ ...call, fence }, update);
    const { state, position } = await (hasLease(request) ? this.leases.under(request, [thing], write) : write());
    return { version: state.version, revision: position.revision, isReplayed: false };
  }

  async #once(request: FastifyRequest, { thing, shadow, update }: LineChange, keyed: Keyed): Promise<LineResult> {
    const call = this.#callOf(request, thing, shadow);
    const change = this.updates.changeOf(call, update);
    const { answer, revision, isReplayed } = await this.idempotent.once(request, keyed, call, change, answerOf);
    return { version: Number(answer.body), revision, isReplayed };
  }

  #callOf({ principal }: FastifyRequest, thing: string, name: string | null) {
    const deadline = this.clock.monotonic() + this.config.requestTimeoutMs;
    return { principal, deadline, key: { tenant: principal.tenant, thing, name } };
  }
}

/** Of a line only the version is kept; the revision is that of the kept answer itself. */
const answerOf = ({ state }: Changed): Answer => ({
  status: 200,
  headers: {},
  body: String((state as ShadowDocument).version),
});
