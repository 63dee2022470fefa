import { sender } from '../../call/send.js';
import type { Platform } from '../../platform.js';
import type { HeldToken, TokenRules } from './held-token.js';
import { requestOf } from '../token-request.js';

const DEFAULT_RULES: TokenRules = { gracePeriod: 0, forceRotate: false };
const TIMEOUT_MS = 10_000;

/** The token policy of the service, as far as clients follow it. Until it is read, or if it cannot be, defaults hold. */
export class PolicyReader {
  rules = DEFAULT_RULES;
  #tag: string | null = null;
  #cancel = (): void => undefined;

  /**
   * Reads it now, and again after half of the life of the token: who begins to force rotation does not mean the end of
   * that. No errors: it is read again with the next token.
   * @param changed hears of other times for renewals; null: it is read once
   */
  follow(url: string, held: HeldToken, platform: Platform, changed: (() => void) | null): void {
    this.stop();
    const read = (): void => void this.#read(url, held.text, platform).then((isOther) => isOther && changed?.());
    read();
    if (changed && held.lifetimeMs !== Infinity) this.#cancel = platform.clock.after(held.lifetimeMs / 2, read, true);
  }

  /** No errors. */
  stop(): void {
    this.#cancel();
  }

  /** @returns whether tokens are renewed at other times now */
  async #read(url: string, token: string, platform: Platform): Promise<boolean> {
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
