import { Inject, Injectable } from '@nestjs/common';
import { ACCESS_KEYS, type AccessKeyMaker } from '../access/access-key-maker.js';
import { Administration } from '../directory/administration.js';
import { recordOf } from '../directory/record-of.js';
import type { KeyProof } from '../directory/records/key-record.js';
import { ServiceError } from '../errors/service-error.js';
import { CLOCK, type Clock } from '../resilience/clock.js';
import { SECRET_KEYS, type SecretKeyMaker } from '../access/secret-key-maker.js';

/** Of one principal: enough to replace one without a pause, and for several installations. */
const MAX_KEYS = 100;

/** What is said of a key only when it is made: the key itself, or of an access key its secret. */
export type NewKey = { readonly id: string } & ({ readonly key: string } | { readonly secret: string });

/** As a request states them. */
export interface KeyMembers {
  readonly kind: unknown;
  readonly title: unknown;
  /** Seconds; null: the key does not expire. */
  readonly expiresIn: unknown;
}

interface Made {
  readonly proof: KeyProof;
  readonly told: NewKey;
}

/** Makes keys for principals. */
@Injectable()
export class UpdateKey {
  constructor(
    private readonly administration: Administration,
    @Inject(SECRET_KEYS) private readonly keys: SecretKeyMaker,
    @Inject(ACCESS_KEYS) private readonly accessKeys: AccessKeyMaker,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * @param names tenant and principal
   * @throws ServiceError noRecord, invalidRequest, storageUnavailable, storageFull, draining
   */
  async create(names: readonly [string, string], { kind, title, expiresIn }: KeyMembers): Promise<NewKey> {
    const [tenant, principal] = names;
    this.administration.get('principal', names);
    if (principal.includes('~'))
      throw new ServiceError('invalidRequest', 'A principal of an issuer shows tokens of that, and has no keys');
    if (this.administration.directory.keysOf(tenant, principal).size >= MAX_KEYS)
      throw new ServiceError('invalidRequest', `A principal has ${MAX_KEYS} keys at most; delete some first`);
    const now = this.clock.now();
    const { proof, told } = this.#make(kind);
    const record = recordOf('key', [told.id], {
      tenant,
      principal,
      proof,
      disabled: false,
      createdAtMs: now,
      expiresAtMs: expiresIn === null ? null : now + secondsOf(expiresIn) * 1000,
      title,
    });
    await this.administration.put('key', [told.id], record, null);
    return told;
  }

  /** @throws ServiceError invalidRequest */
  #make(kind: unknown): Made {
    if (kind === 'secret') {
      const { id, text, digest } = this.keys.make();
      return { proof: { kind, digest }, told: { id, key: text } };
    }
    if (kind !== 'aws') throw new ServiceError('invalidRequest', 'kind must be secret or aws');
    const { id, secret, sealedSecret } = this.accessKeys.make();
    return { proof: { kind, sealedSecret, sessionTokenHash: null }, told: { id, secret } };
  }
}

/** @throws ServiceError invalidRequest */
function secondsOf(value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= MAX_SECONDS) return value;
  throw new ServiceError('invalidRequest', `expiresIn must be a whole number of seconds from 1 to ${MAX_SECONDS}`);
}

/** A hundred years. */
const MAX_SECONDS = 3_155_760_000;
