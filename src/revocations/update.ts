import { Inject, Injectable } from '@nestjs/common';
import type { Principal } from '../access/principal.js';
import { DEVICE_TRUST, type DeviceTrust } from '../auth/certificates/device-trust.js';
import { Administration, type Expected } from '../directory/administration.js';
import { recordOf } from '../directory/record-of.js';
import { ServiceError } from '../errors/service-error.js';
import { CLOCK, type Clock } from '../resilience/clock.js';
import type { RevocationNames } from './revocation-name.js';

/** Revokes certificates: one, all of a thing, or all of an authority. */
@Injectable()
export class UpdateRevocation {
  constructor(
    private readonly administration: Administration,
    @Inject(DEVICE_TRUST) private readonly trust: DeviceTrust,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * When it resolves, this node ends the connections that it concerns.
   * @returns the revision of the record
   * @throws ServiceError invalidRequest, noRecord, preconditionFailed, storageUnavailable, storageFull, draining
   */
  async update(
    caller: Principal,
    names: RevocationNames,
    { reason = '', ...others }: Record<string, unknown>,
    expected: Expected,
  ): Promise<number> {
    const [tenant, kind, id] = names;
    this.administration.get('tenant', [tenant]);
    const [unknown] = Object.keys(others);
    if (unknown !== undefined)
      throw new ServiceError('invalidRequest', `A revocation has a reason, but no ${JSON.stringify(unknown)}`);
    const before = this.administration.find('revocation', names)?.record;
    const [revokedAtMs, revokedBy] = [before?.revokedAtMs ?? this.clock.now(), before?.revokedBy ?? caller.id];
    const of = kind === 'authority' ? { caId: this.#authorityOf(tenant, id) } : {};
    const record = recordOf('revocation', names, { reason, revokedAtMs, revokedBy, ...of });
    return this.administration.put('revocation', names, record, expected);
  }

  /** Its certificate, by its key: a renewed certificate must not bring it back. */
  #authorityOf(tenant: string, keyHash: string): string {
    const { authorities } = this.trust;
    const found = authorities.withKey(tenant, keyHash).at(-1);
    if (found) return found.caId;
    const meant = authorities.get(tenant, keyHash);
    throw new ServiceError(
      'invalidRequest',
      meant
        ? `An authority is revoked by its key; use ${meant.keyHash} as the id`
        : 'The tenant has no authority with this key; its view has it as key',
    );
  }
}
