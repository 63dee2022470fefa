import type { Call } from '../call/call.js';
import type { Fetch, Platform } from '../platform.js';
import type { TlsOptions } from '../tls/tls-options.js';
import type { UmbraError } from '../umbra-error.js';

/** A source of credentials. All clients of a process may share one. */
export interface Auth {
  /** How its connections are made, if the credential is shown there; a client without a `fetch` takes this one. */
  readonly fetch?: Fetch;
  /** The same, for doors without HTTP. */
  readonly tls?: TlsOptions;
  /**
   * Called by each client that is given this source, before anything else. A source that asks the service itself takes the
   * address and the surroundings of the first one.
   * @param url without a slash at its end; of a device that of MQTT
   * @throws UmbraError invalid-argument for an address that it is not for
   */
  attach?(url: string, platform: Platform): void;
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
  /** Called by each client that is closed. The last one ends timers and waits of the source. */
  close?(): void;
}
