import { sender } from '../../call/send.js';
import type { Platform } from '../../platform.js';
import type { TokenRules } from './held-token.js';
import { requestOf } from '../token-request.js';

const DEFAULT_RULES: TokenRules = { gracePeriod: 0, forceRotate: false };
const TIMEOUT_MS = 10_000;

/** The token policy of the service, as far as clients follow it. Until it is read, or if it cannot be, defaults hold. */
export class PolicyReader {
  rules = DEFAULT_RULES;
  #tag: string | null = null;

  /** @returns whether the rules are others now. No errors: the policy is read again with the next token */
  async read(url: string, token: string, platform: Platform): Promise<boolean> {
    const send = sender({ url, ...platform, attemptTimeoutMs: TIMEOUT_MS });
    const headers = { authorization: `Bearer ${token}`, ...(this.#tag !== null && { 'if-none-match': this.#tag }) };
    const call = requestOf('GET', '/v1/token-policy', headers, platform.clock.monotonic() + TIMEOUT_MS);
    try {
      const answer = await send(call);
      if (answer.status !== 200) return false;
      const { gracePeriod, forceRotate } = JSON.parse(answer.text) as Partial<TokenRules>;
      this.#tag = answer.headers.get('etag');
      const before = this.rules;
      this.rules = { gracePeriod: Number(gracePeriod) || 0, forceRotate: forceRotate === true };
      return before.forceRotate !== this.rules.forceRotate;
    } catch {
      return false;
    }
  }
}
