import { hash } from 'node:crypto';
import type { SecretSeal } from '../sealed-secret.js';
import { createAccessKey, type AccessKey, type AccessKeyLookup } from './access-key.js';
import { headerClaim } from './authorization.js';
import { canonicalQuery, queryParameters } from './canonical-query.js';
import { stringToSign, type SignedRequest } from './canonical-request.js';
import type { SignatureClaim } from './claim.js';
import type { HmacSha256 } from './hmac-sha256.js';
import { isPresigned, queryClaim, SESSION_TOKEN, SIGNATURE } from './presigned-url.js';
import { ReplayMemory } from './replay-memory.js';
import { isSameDigest } from './same-digest.js';
import { SentHeaders } from './sent-headers.js';
import { malformed, SignatureFault } from './signature-fault.js';
import { clockFault } from './signing-date.js';
import { SigningKeys } from './signing-keys.js';

export interface SignatureOptions {
  /** How far a signature's date may be from the clock, either way, in milliseconds. AWS allows 5 minutes too. */
  readonly skewMs: number;
  /** Signing keys that are remembered: one for each access key, day, region and service. About 500 bytes each. */
  readonly maxSigningKeys: number;
  /** Presigned URLs that are remembered until they are late. About 200 bytes each. */
  readonly maxPresigned: number;
  /** The same of one access key. Devices that share one and connect in the same second have the same URL. */
  readonly maxPresignedOfKey: number;
  /** Milliseconds in which a presigned URL may be used again; 0: never. See `ReplayMemory`. */
  readonly presignedGraceMs: number;
}

export const SIGNATURE_DEFAULTS: SignatureOptions = {
  skewMs: 300_000,
  maxSigningKeys: 10_000,
  maxPresigned: 100_000,
  maxPresignedOfKey: 1_000,
  presignedGraceMs: 0,
};

/** A request that was signed with the secret of `key`. What the key may do is for others to say. */
export interface Verified<K extends AccessKey> {
  readonly verified: true;
  readonly key: K;
  readonly region: string;
  readonly service: string;
  /** Epoch milliseconds of X-Amz-Date. */
  readonly signedAt: number;
}

/**
 * Verifies AWS Signature Version 4 as the clients of AWS IoT make it. An unknown key and a wrong signature get one
 * answer after the same work.
 */
export class SignatureVerifier {
  readonly #options: SignatureOptions;
  readonly #signingKeys: SigningKeys;
  readonly #presigned: ReplayMemory;
  /** Stands in for unknown keys. Nobody knows its secret. */
  readonly #decoy: AccessKey;

  /** @param seal seal for ACCESS_KEY_PURPOSE */
  constructor(seal: SecretSeal, options: Partial<SignatureOptions> = {}) {
    this.#options = { ...SIGNATURE_DEFAULTS, ...options };
    this.#signingKeys = new SigningKeys(seal, this.#options.maxSigningKeys);
    const { maxPresigned, maxPresignedOfKey, presignedGraceMs } = this.#options;
    this.#presigned = new ReplayMemory(maxPresigned, maxPresignedOfKey, presignedGraceMs);
    this.#decoy = createAccessKey(seal);
  }

  /**
   * Verifies a request that has its signature in `Authorization`.
   * @param now epoch milliseconds
   * @throws UnsealError when the secret of the key was sealed under another master key
   */
  verifyRest<K extends AccessKey>(
    request: SignedRequest,
    keys: AccessKeyLookup<K>,
    now: number,
  ): Verified<K> | SignatureFault {
    const headers = new SentHeaders(request.headers);
    const claim = headerClaim(headers);
    if (claim instanceof SignatureFault) return claim;
    const { skewMs } = this.#options;
    const late = clockFault(claim.signedAt, now, skewMs, skewMs);
    if (late) return late;
    if (isPresigned(request.rawQuery)) return malformed('A request may have one signature only, as header or as query');
    const parameters = queryParameters(request.rawQuery);
    if (parameters instanceof SignatureFault) return parameters;
    const toSign = stringToSign(request, headers, claim);
    if (toSign instanceof SignatureFault) return toSign;
    return this.#verify(claim, keys, [toSign(canonicalQuery(parameters))]);
  }

  /**
   * Verifies an upgrade to WebSocket by a presigned URL, which is good once.
   * @param now epoch milliseconds
   * @throws UnsealError when the secret of the key was sealed under another master key
   */
  verifyUpgrade<K extends AccessKey>(
    request: Omit<SignedRequest, 'body'>,
    keys: AccessKeyLookup<K>,
    now: number,
  ): Verified<K> | SignatureFault {
    const headers = new SentHeaders(request.headers);
    if (headers.get('authorization') !== undefined) {
      return malformed('An upgrade must be signed in its query, and have no Authorization');
    }
    const parameters = queryParameters(request.rawQuery);
    if (parameters instanceof SignatureFault) return parameters;
    const claim = queryClaim(parameters);
    if (claim instanceof SignatureFault) return claim;
    const { skewMs } = this.#options;
    const goodForMs = Math.min(claim.lifeMs, skewMs);
    const late = clockFault(claim.signedAt, now, goodForMs, skewMs);
    if (late) return late;
    const toSign = stringToSign({ ...request, body: null }, headers, claim);
    if (toSign instanceof SignatureFault) return toSign;
    // The device SDKs append the session token unsigned, and signers of other AWS services sign it.
    const signed = parameters.filter(({ name }) => name !== SIGNATURE);
    const texts = [toSign(canonicalQuery(signed.filter(({ name }) => name !== SESSION_TOKEN)))];
    if (claim.sessionToken !== undefined) texts.push(toSign(canonicalQuery(signed)));
    const verified = this.#verify(claim, keys, texts);
    if (verified instanceof SignatureFault) return verified;
    return this.#replayFault(claim, claim.signedAt + goodForMs, now) ?? verified;
  }

  /** @param texts strings to sign, one of which the client has signed */
  #verify<K extends AccessKey>(
    claim: SignatureClaim,
    keys: AccessKeyLookup<K>,
    texts: readonly string[],
  ): Verified<K> | SignatureFault {
    const { credential, signedAt, signature } = claim;
    const key = keys(credential.keyId);
    const remembered = key && this.#signingKeys.get(key, credential);
    const signingKey = remembered ?? this.#signingKeys.derive(key ?? this.#decoy, credential);
    const fits = isAnySigned(texts, signingKey, signature);
    if (key === undefined || !fits) {
      // So that a known key, whose signing key is remembered, is not refused sooner than an unknown one.
      if (remembered) this.#signingKeys.derive(this.#decoy, credential);
      const advice = 'check key, secret and region, and that proxies leave path, query and signed headers as they are';
      return new SignatureFault('AUTH_102', `The signature does not match, or the access key is not known: ${advice}`);
    }
    if (!remembered) this.#signingKeys.remember(key, credential, signingKey);
    const { region, service } = credential;
    return tokenFault(key, claim.sessionToken) ?? { verified: true, key, region, service, signedAt };
  }

  #replayFault({ credential, signature }: SignatureClaim, goodUntil: number, now: number): SignatureFault | null {
    const use = this.#presigned.use(credential.keyId, signature, goodUntil, now);
    if (use === 'first') return null;
    if (use === 'again') return new SignatureFault('AUTH_110', 'The signed URL was used before: sign a new one');
    if (use === 'excess')
      return new SignatureFault(
        'AUTH_110',
        `More than ${this.#options.maxPresignedOfKey} signed URLs of this access key were used in the last minutes: try again later`,
      );
    return new SignatureFault('AUTH_110', 'Too many signed URLs were used in the last minutes: try again later');
  }
}

/** Looks at all texts, whichever fits. */
function isAnySigned(texts: readonly string[], signingKey: HmacSha256, signature: string): boolean {
  let fits = false;
  for (const text of texts) if (isSameDigest(signingKey.hex(text), signature)) fits = true;
  return fits;
}

/** Only who has signed with the secret learns what the record says of a session token. */
function tokenFault(key: AccessKey, token: string | undefined): SignatureFault | null {
  const { sessionTokenHash } = key;
  if (sessionTokenHash === null) {
    return token === undefined
      ? null
      : new SignatureFault('AUTH_102', 'The access key has no session token: send none');
  }
  if (token !== undefined && isSameDigest(hash('sha256', token), sessionTokenHash)) return null;
  return new SignatureFault('AUTH_102', 'The session token of the access key is missing or wrong');
}
