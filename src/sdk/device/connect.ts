import type { IClientOptions } from 'mqtt';
import type { Auth } from '../auth/auth.js';
import { bearer } from '../auth/bearer.js';
import { platformOf, type Platform } from '../platform.js';
import type { AnyState } from '../shadow/state.js';
import { clientError, type UmbraError } from '../umbra-error.js';
import type { Traced } from '../telemetry/traced.js';
import { identityCheck } from '../tls/pins.js';
import type { TlsOptions } from '../tls/tls-options.js';
import { within } from '../within.js';
import type { Dial } from './connection.js';
import { Device, isName, NAMES } from './device.js';
import { mqttDial } from './mqtt-dial.js';
import type { Outbox } from './outbox.js';
import { Uplink } from './uplink.js';

type Pem = NonNullable<IClientOptions['cert']>;

export interface DeviceOptions extends Partial<Platform> {
  /** `mqtts://umbra.example`, `mqtt://` without TLS, `wss://umbra.example/mqtt`. */
  readonly url: string;
  /** Name of the thing that this device is. */
  readonly thing: string;
  /** The name of the thing by default; another one, such as `lamp-1:app`, for a second connection. */
  readonly clientId?: string;
  /** Certificate of the device and its key, PEM. */
  readonly cert?: Pem;
  readonly key?: Pem;
  /** Authorities that the certificate of the node may be of, PEM; those of Node by default. */
  readonly ca?: Pem;
  /**
   * Keys that the node may have: base64 of the SHA-256 of a public key (SPKI), also behind `sha256/`. They are checked
   * beside authority and name. Give the next one too: without it a new key of the node shuts this device out.
   */
  readonly tls?: { readonly pins?: readonly string[] };
  /**
   * Key or access token, instead of a certificate: text, or a source that gets newer ones; or `certificate(…)`, whose
   * certificate, authorities and pins count where no others are given.
   */
  readonly auth?: Auth | string;
  /** Goes with a password; the service looks at the password alone. The name of the thing by default. */
  readonly username?: string;
  /** 5, or 4 for MQTT 3.1.1. */
  readonly protocolVersion?: 4 | 5;
  /** Seconds for which a node keeps the session of a lost connection; 0: no session. 3,600 by default. */
  readonly sessionSeconds?: number;
  /** Keeps reports that are not stored yet, such as `fileOutbox(path)`. By default they wait in memory. */
  readonly outbox?: Outbox;
  /** Characters that may wait for each shadow, 64 of each report beside its JSON. 262,144 by default. */
  readonly maxWaiting?: number;
  /** Milliseconds to wait for the first connection, a report, a get or a delete, unless it says otherwise. 30,000. */
  readonly timeoutMs?: number;
  /** Milliseconds for one answer of the service; then the connection is cut, and there is another. 10,000. */
  readonly answerMs?: number;
  /** Milliseconds after which the signal of a handler of deltas aborts. 300,000. */
  readonly handlerMs?: number;
  /** Pauses between connections; 500 to 30,000 milliseconds by default. */
  readonly reconnect?: Partial<{ firstMs: number; longestMs: number }>;
  /** Pauses after a handler or a request has failed; 500 to 30,000 milliseconds by default. */
  readonly retry?: Partial<{ firstMs: number; longestMs: number }>;
  /** True: does not wait for the first connection. */
  readonly background?: boolean;
  /** Ends the wait for the first connection. */
  readonly signal?: AbortSignal;
  /** More options of mqtt.js, such as `keepalive`, `servername` or `wsOptions`. */
  readonly mqtt?: IClientOptions;
  /** Sees each request and its answer: `telemetry().traced` makes spans of them. */
  readonly traced?: Traced;
  /** Makes connections instead of mqtt.js. */
  readonly dial?: Dial;
}

const PAUSES = { firstMs: 500, longestMs: 30_000 };

/**
 * Connects a device. After that it connects again by itself whenever the connection is lost, until it is closed.
 * @throws UmbraError invalid-argument; a refusal that would come again; timeout, aborted. Nothing is left open then.
 */
export async function connect<T = AnyState>(options: DeviceOptions): Promise<Device<T>> {
  const { timeoutMs = 30_000, answerMs = 10_000, handlerMs = 300_000, maxWaiting = 262_144 } = options;
  const { thing, outbox = null, signal, traced } = options;
  if (!isName(thing, 128)) throw clientError('invalid-argument', `the thing '${thing}': ${NAMES}`);
  const own = platformOf(options);
  const platform = withTokens(own);
  const auth = typeof options.auth === 'string' ? bearer(options.auth) : options.auth;
  const [reconnect, retry] = [
    { ...PAUSES, ...options.reconnect },
    { ...PAUSES, ...options.retry },
  ];
  const dial = options.dial ?? dialOf(options, auth, platform);
  // Whoever hears of its requests knows the next ids of this device: a login has others.
  auth?.attach?.(options.url.replace(/\/+$/, ''), own);
  const uplink = new Uplink({ dial, platform, auth, answerMs, reconnect });
  const device = new Device<T>({
    ...{ uplink, platform, thing, outbox, maxWaiting, retry, handlerMs, timeoutMs, answerMs, traced },
  });
  if (options.background) {
    uplink.start();
    return device;
  }
  try {
    await first(uplink, { platform, timeoutMs, signal });
    return device;
  } catch (error) {
    await device.close();
    throw error;
  }
}

/** Ids of requests: drawing each by chance would cost as much as all else that is done for a report. */
function withTokens(platform: Platform): Platform {
  let prefix: string | null = null;
  let count = 0;
  return { ...platform, newId: () => `${(prefix ??= platform.newId())}-${++count}` };
}

async function first(
  uplink: Uplink,
  { platform, timeoutMs, signal }: { platform: Platform; timeoutMs: number; signal: AbortSignal | undefined },
): Promise<void> {
  const what = 'connecting';
  const limit = { clock: platform.clock, ms: timeoutMs, what, signals: [signal] };
  let isWaiting = true;
  try {
    await within(limit, (ended) =>
      Promise.race([
        uplink.up(ended),
        new Promise<never>((_, reject) => uplink.start((error) => isWaiting && reject(error))),
      ]),
    );
  } catch (error) {
    const isTimeout = (error as UmbraError).code === 'timeout';
    // Why it took so long says more.
    throw isTimeout && uplink.error
      ? clientError('timeout', (error as UmbraError).message, { retryable: true, cause: uplink.error })
      : error;
  } finally {
    isWaiting = false;
  }
}

function dialOf(options: DeviceOptions, auth: Auth | undefined, platform: Platform): Dial {
  const { url, thing, clientId = thing, protocolVersion = 5, sessionSeconds = 3_600 } = options;
  if (!/^(mqtts?|wss?|tls|ssl|tcp):\/\/./.test(url))
    throw clientError(
      'invalid-argument',
      `the address '${url}' does not begin with mqtts://, mqtt://, wss:// or ws://`,
    );
  const username = options.username ?? (auth?.token ? thing : undefined);
  return mqttDial({
    ...{ url, clientId, username, protocolVersion, sessionSeconds, clock: platform.clock },
    mqtt: { ...options.mqtt, ...tlsOf(options, auth?.tls) },
  });
}

/** @throws UmbraError invalid-argument for pins that are none, without TLS, or that nothing would be checked against */
function tlsOf({ url, cert, key, ca, tls, mqtt }: DeviceOptions, own: TlsOptions = {}): IClientOptions {
  const pins = tls?.pins ?? own.pins;
  const given = {
    ...{ cert: cert ?? own.cert, key: key ?? own.key, ca: ca ?? own.ca },
    ...(key === undefined && { passphrase: own.passphrase }),
  };
  const chosen = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  if (pins === undefined) return chosen as IClientOptions;
  if (!/^(mqtts|wss|tls|ssl):/.test(url))
    throw clientError('invalid-argument', `tls.pins need an address with TLS, such as mqtts://, and not '${url}'`);
  const { rejectUnauthorized } = { ...mqtt, ...(mqtt?.wsOptions as IClientOptions | undefined) };
  if (mqtt?.rejectUnauthorized === false || rejectUnauthorized === false)
    throw clientError('invalid-argument', 'tls.pins need certificates that are verified: leave rejectUnauthorized out');
  // Said outright, since NODE_TLS_REJECT_UNAUTHORIZED=0 leaves the check without effect.
  const checked = { checkServerIdentity: identityCheck(pins), rejectUnauthorized: true };
  const wsOptions = { ...mqtt?.wsOptions, ...checked };
  return { ...chosen, ...(url.startsWith('wss:') ? { wsOptions } : checked) } as IClientOptions;
}
