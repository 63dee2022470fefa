import type { Identity } from '../access/authenticator.js';
import type { RequestSignatures, SentHead } from '../access/request-signatures.js';
import type { AccessDirectory } from '../directory/access-directory.js';
import type { KeyRecord } from '../directory/records/key-record.js';
import { ServiceError } from '../errors/service-error.js';
import type { Clock } from '../resilience/clock.js';
import type { AccessKey } from './aws-signature/access-key.js';
import { isAwsAuthorization } from './aws-signature/authorization.js';
import { isPresigned } from './aws-signature/presigned-url.js';
import { SentHeaders } from './aws-signature/sent-headers.js';
import { SignatureFault } from './aws-signature/signature-fault.js';
import { SignatureVerifier, type Verified } from './aws-signature/signature-verifier.js';
import type { KeyPrincipals } from './key-principals.js';
import type { SecretSeal } from './sealed-secret.js';

/** An access key as the directory has it. */
interface KnownKey extends AccessKey {
  readonly record: KeyRecord;
}

/** Knows callers by AWS Signature Version 4, made with access keys of this service. */
export class AwsSignatures implements RequestSignatures {
  readonly #verifier: SignatureVerifier;

  /** @param seal seal for ACCESS_KEY_PURPOSE */
  constructor(
    private readonly directory: AccessDirectory,
    private readonly principals: KeyPrincipals,
    private readonly clock: Clock,
    seal: SecretSeal,
  ) {
    this.#verifier = new SignatureVerifier(seal);
  }

  isSignature(authorization: string): boolean {
    return isAwsAuthorization(authorization);
  }

  ofRequest(head: SentHead, body: Uint8Array): Identity {
    // Written out: an object that is spread and then extended costs half as much as the whole check.
    const { method, rawPath, rawQuery, headers } = head;
    const request = { method, rawPath, rawQuery, headers, body };
    return this.#identityOf(this.#verifier.verifyRest(request, this.#keyOf, this.clock.now()));
  }

  ofUpgrade(head: SentHead): Identity | null {
    const authorization = new SentHeaders(head.headers).get('authorization') ?? '';
    if (!isPresigned(head.rawQuery) && !isAwsAuthorization(authorization)) return null;
    return this.#identityOf(this.#verifier.verifyUpgrade(head, this.#keyOf, this.clock.now()));
  }

  /** Also a key that is disabled or has expired: only who can sign with it learns so. */
  readonly #keyOf = (id: string): KnownKey | undefined => {
    const record = this.directory.get('key', id)?.record;
    if (record?.proof.kind !== 'aws') return undefined;
    const { sealedSecret, sessionTokenHash } = record.proof;
    return { id, sealedSecret, sessionTokenHash, record };
  };

  #identityOf(found: Verified<KnownKey> | SignatureFault): Identity {
    return found instanceof SignatureFault ? errorOf(found) : this.principals.of(found.key.id, found.key.record);
  }
}

function errorOf({ code, reason }: SignatureFault): ServiceError {
  if (code === 'AUTH_110') return new ServiceError('awsSignatureRefused', reason);
  return new ServiceError(code === 'AUTH_101' ? 'credentialsMissing' : 'credentialsUnknown', `: ${reason}`);
}
