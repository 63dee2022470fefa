import { Inject, Injectable } from '@nestjs/common';
import { checkAuthority } from '../auth/certificates/authority.js';
import { DEVICE_TRUST, type DeviceTrust } from '../auth/certificates/device-trust.js';
import { checkPossession, REGISTRATION_CODES, type RegistrationCodes } from '../auth/certificates/possession.js';
import { Administration, type Expected } from '../directory/administration.js';
import { recordOf, refuseOwn } from '../directory/record-of.js';
import type { AuthorityRecord } from '../directory/records/authority-record.js';
import { ServiceError } from '../errors/service-error.js';
import { CLOCK, type Clock } from '../resilience/clock.js';

/** Members that only the service sets. */
const OWN = ['format', 'registeredAtMs'];

const NEW = { nameFrom: 'commonName', disabled: false, registersAtFirstSight: false, policies: [] };

/** Registers authorities, and changes what is trusted to them. */
@Injectable()
export class UpdateAuthority {
  constructor(
    private readonly administration: Administration,
    @Inject(DEVICE_TRUST) private readonly trust: DeviceTrust,
    @Inject(REGISTRATION_CODES) private readonly codes: RegistrationCodes,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * @param names tenant, and the fingerprint of the certificate in hexadecimal
   * @param body those members that are left out are those of a new authority; `proof` is not kept
   * @returns the revision of the record
   * @throws ServiceError invalidRequest, noRecord, preconditionFailed, storageUnavailable, storageFull, draining
   */
  async update(
    names: readonly [string, string],
    { proof, ...members }: Record<string, unknown>,
    expected: Expected,
  ): Promise<number> {
    const [tenant] = names;
    this.administration.get('tenant', [tenant]);
    refuseOwn(members, OWN);
    const before = this.administration.find('authority', names)?.record;
    const pem = before && { pem: before.pem };
    const registeredAtMs = before?.registeredAtMs ?? this.clock.now();
    const record = recordOf('authority', names, { ...NEW, ...pem, ...members, registeredAtMs });
    for (const name of record.policies) this.administration.get('policy', [tenant, name]);
    if (!before) this.#checkNew(names, record, proof);
    else if (record.pem !== before.pem)
      throw new ServiceError('invalidRequest', 'pem cannot be changed; delete the authority first');
    return this.administration.put('authority', names, record, expected);
  }

  #checkNew([tenant, fingerprint]: readonly [string, string], record: AuthorityRecord, proof: unknown): void {
    const authority = checkAuthority(record, this.clock.now());
    const { caId } = authority;
    if (caId !== fingerprint)
      throw new ServiceError(
        'invalidRequest',
        `The SHA-256 of the certificate is ${caId}; send it to the path of that`,
      );
    const code = this.codes.of(tenant, caId);
    if (typeof proof !== 'string') {
      const how = `let the authority issue a certificate with the only common name ${code}`;
      throw new ServiceError('invalidRequest', `Prove that you have its key: ${how}, and send that in PEM as proof`);
    }
    checkPossession(authority, proof, code);
    // Only who has its key learns whether another tenant has registered it.
    this.trust.authorities.checkNew(authority);
  }
}
