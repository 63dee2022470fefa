import { ServiceError } from '../../errors/service-error.js';
import { parse, type Authority } from './authority.js';
import { isStrongSignature } from './strength.js';

/**
 * Checks that whoever registers an authority has its private key. Certificates of authorities are public: a tenant
 * could register the one of another, and be given its devices.
 *
 * @param pem a certificate that the authority has issued for this purpose, with `code` as its only common name
 * @param code what the node has given to this caller: random, for one use and a short time
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
