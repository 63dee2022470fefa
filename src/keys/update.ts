import { Inject, Injectable } from '@nestjs/common';
import { Administration } from '../directory/administration.js';
import { recordOf } from '../directory/record-of.js';
import { ServiceError } from '../errors/service-error.js';
import { CLOCK, type Clock } from '../resilience/clock.js';
import { SECRET_KEYS, type SecretKeyMaker } from '../access/secret-key-maker.js';

/** Of one principal: enough to replace one without a pause, and for several installations. */
const MAX_KEYS = 100;

export interface NewKey {
  readonly id: string;
  /** The key itself, which is said only here. */
  readonly key: string;
}

/** Makes keys for principals. */
@Injectable()
export class UpdateKey {
  constructor(
    private readonly administration: Administration,
    @Inject(SECRET_KEYS) private readonly keys: SecretKeyMaker,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * @param expiresInSeconds null: the key does not expire
   * @throws ServiceError noRecord, invalidRequest, storageUnavailable, storageFull, draining
   */
  async create(names: readonly [string, string], title: unknown, expiresInSeconds: unknown): Promise<NewKey> {
    const [tenant, principal] = names;
    this.administration.get('principal', names);
    if (this.administration.directory.keysOf(tenant, principal).size >= MAX_KEYS)
      throw new ServiceError('invalidRequest', `A principal has ${MAX_KEYS} keys at most; delete some first`);
    const now = this.clock.now();
    const { id, text, digest } = this.keys.make();
    const record = recordOf('key', [id], {
      tenant,
      principal,
      proof: { kind: 'secret', digest },
      disabled: false,
      createdAtMs: now,
      expiresAtMs: expiresInSeconds === null ? null : now + secondsOf(expiresInSeconds) * 1000,
      title,
    });
    await this.administration.put('key', [id], record, null);
    return { id, key: text };
  }
}

/** @throws ServiceError invalidRequest */
function secondsOf(value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= MAX_SECONDS) return value;
  throw new ServiceError('invalidRequest', `expiresIn must be a whole number of seconds from 1 to ${MAX_SECONDS}`);
}

/** A hundred years. */
const MAX_SECONDS = 3_155_760_000;
