import { createHmac } from 'node:crypto';
import { ServiceError } from '../../errors/service-error.js';
import { derivedKey } from '../sealed-secret.js';
import { parse, type Authority } from './authority.js';
import { isStrongSignature } from './strength.js';

/** Injection token of the RegistrationCodes. */
export const REGISTRATION_CODES = Symbol('RegistrationCodes');

/** Digits of hexadecimal: with the words before them within the 64 characters that a common name may have. */
const CODE_DIGITS = 40;

/**
 * The codes by which tenants prove that an authority is theirs. Each is for one tenant and one certificate, and nobody
 * can tell it beforehand, so a proof is of no use to another tenant. They are computed, so that nothing has to be kept.
 */
export class RegistrationCodes {
  readonly #key: Uint8Array;

  /** @throws RangeError for a master key of another length */
  constructor(masterKey: Uint8Array) {
    this.#key = derivedKey(masterKey, 'umbra registration of authorities');
  }

  /** No thing can have this name: whoever lets an authority issue for a thing of any name proves nothing. No errors. */
  of(tenant: string, caId: string): string {
    const mac = createHmac('sha256', this.#key).update(`${tenant}/${caId}`).digest('hex');
    return `umbra.authority.${mac.slice(0, CODE_DIGITS)}`;
  }
}

/**
 * Checks that whoever registers an authority has its private key. Certificates of authorities are public: a tenant
 * could register the one of another, and be given its devices.
 *
 * @param pem a certificate that the authority has issued for this purpose, with `code` as its only common name
 * @param code of this tenant and authority
 * @throws ServiceError invalidRequest
 */
export function checkPossession(authority: Authority, pem: string, code: string): void {
  const { certificate, facts } = parse(pem);
  const [name, ...others] = facts.commonNames;
  const isNamed = others.length === 0 && name?.content.toString('latin1') === code;
  if (!isNamed)
    throw new ServiceError('invalidRequest', 'The proof needs the registration code as its only common name');
  const isIssued = facts.issuer === authority.subject && isStrongSignature(facts.signatureAlgorithm);
  if (!isIssued || !authority.hasSigned(certificate)) {
    throw new ServiceError('invalidRequest', 'The proof is not signed by the authority that is to be registered');
  }
}
