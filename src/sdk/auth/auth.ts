import type { Call } from '../call/call.js';
import type { UmbraError } from '../umbra-error.js';

/** A source of credentials. All clients of a process may share one. */
export interface Auth {
  /**
   * Headers for one attempt of a call, such as `authorization`, with names in small letters. Called before each attempt,
   * so it must be cheap while the credential is good; it may wait for a new one within `call.signal`.
   * @throws UmbraError if there is no credential; `retryable` says whether to try again
   */
  headers(call: Call): Promise<Readonly<Record<string, string>>>;
  /**
   * A request with the headers `used` was answered with 401. Resolves to whether `headers` would now give better ones:
   * the request is then sent once more. If the credential was replaced since `used`, that is true at once. Rejecting
   * counts as false.
   */
  refused?(used: Readonly<Record<string, string>>, error: UmbraError, signal: AbortSignal): Promise<boolean>;
  /**
   * The key or token alone, for doors without HTTP headers: the password of MQTT, the sub-protocol of a WebSocket.
   * @throws UmbraError as `headers` does
   */
  token?(signal: AbortSignal): Promise<string>;
  /** Ends timers and waits of the source. */
  close?(): void;
}
