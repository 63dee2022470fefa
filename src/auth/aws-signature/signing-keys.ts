import { createHmac } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { SecretSeal } from '../sealed-secret.js';
import type { AccessKey } from './access-key.js';
import type { Credential } from './credential.js';
import { HmacSha256 } from './hmac-sha256.js';

interface Remembered {
  readonly sealedSecret: string;
  readonly signingKey: HmacSha256;
}

/**
 * Signing keys: derived from a secret for one day, region and service by four HMACs, and remembered, so that a secret is
 * unsealed once a day.
 */
export class SigningKeys {
  readonly #remembered: LRUCache<string, Remembered>;

  /**
   * @param seal seal of the secrets
   * @param max signing keys that are remembered
   */
  constructor(
    private readonly seal: SecretSeal,
    max: number,
  ) {
    this.#remembered = new LRUCache({ max });
  }

  /** Signing keys that are remembered. */
  get size(): number {
    return this.#remembered.size;
  }

  /** The remembered key; undefined also when the secret of the access key has changed. */
  get(key: AccessKey, { text }: Credential): HmacSha256 | undefined {
    const found = this.#remembered.get(text);
    return found?.sealedSecret === key.sealedSecret ? found.signingKey : undefined;
  }

  /** Call this after a good signature only: callers choose regions, and must not drive out keys of others. */
  remember({ sealedSecret }: AccessKey, { text }: Credential, signingKey: HmacSha256): void {
    this.#remembered.set(text, { sealedSecret, signingKey });
  }

  /** @throws UnsealError when the secret was sealed under another master key */
  derive(key: AccessKey, { date, region, service }: Credential): HmacSha256 {
    const secret = this.seal.open(key.sealedSecret, key.id);
    let derived: Buffer = Buffer.concat([Buffer.from('AWS4'), secret]);
    secret.fill(0);
    for (const part of [date, region, service, 'aws4_request']) {
      const next = createHmac('sha256', derived).update(part).digest();
      derived.fill(0);
      derived = next;
    }
    return new HmacSha256(derived);
  }
}
