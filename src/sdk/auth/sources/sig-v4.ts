import type { Call } from '../../call/call.js';
import { sender } from '../../call/send.js';
import { platformOf, type Platform } from '../../platform.js';
import { clientError } from '../../umbra-error.js';
import type { Auth } from '../auth.js';
import { requestOf } from '../token-request.js';

export interface SigV4Options {
  /** `UMBA…` */
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Any will do. `us-east-1` by default. */
  readonly region?: string;
}

const SERVICE = 'iotdata';
/** Milliseconds for one look at the clock of the service. */
const TIMEOUT_MS = 10_000;
/** Milliseconds by which clocks may differ before they are a reason for a refusal. */
const TOLERANCE_MS = 60_000;

/**
 * Signs each request by AWS Signature Version 4, with an access key of a principal. A wrong clock is corrected by that of
 * the service after the first refusal. No errors until it is used.
 */
export function sigV4({ accessKeyId, secretAccessKey, region = 'us-east-1' }: SigV4Options): Auth {
  let service: { url: string; platform: Platform } | null = null;
  let skewMs = 0;
  const known = () => {
    if (service) return service;
    throw clientError('invalid-argument', 'give the source to a client first');
  };
  return {
    attach(url, platform) {
      // Nothing is signed for a device.
      if (url.startsWith('http')) service ??= { url, platform: platformOf(platform) };
    },
    async headers(call) {
      const { url, platform } = known();
      const date = new Date(platform.clock.now() + skewMs).toISOString().replace(/[-:]|\.\d+/g, '');
      const scope = `${date.slice(0, 8)}/${region}/${SERVICE}/aws4_request`;
      const toSign = await stringToSign(call, new URL(url + call.path), date, scope);
      const key = await signingKey(secretAccessKey, scope);
      const signature = hex(await hmac(key, toSign));
      const credential = `Credential=${accessKeyId}/${scope}`;
      const authorization = `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=host;x-amz-date, Signature=${signature}`;
      return { authorization, 'x-amz-date': date };
    },
    async refused(_used, { authCode }, signal) {
      if (authCode !== 'AUTH_110') return false;
      const { url, platform } = known();
      const { clock } = platform;
      const send = sender({ url, ...platform, attemptTimeoutMs: TIMEOUT_MS });
      const answer = await send(requestOf('GET', '/health/live', {}, clock.monotonic() + TIMEOUT_MS, signal));
      const serverTime = Date.parse(answer.headers.get('date') ?? '');
      const before = skewMs;
      skewMs = Number.isNaN(serverTime) ? before : serverTime - clock.now();
      return Math.abs(skewMs - before) > TOLERANCE_MS;
    },
  };
}

async function stringToSign(call: Call, { host, pathname, search }: URL, date: string, scope: string): Promise<string> {
  const query = search
    .slice(1)
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => pair.split('=', 2).map((part) => escaped(decodeURIComponent(part))))
    .map(([name = '', value = '']) => [name, value] as const)
    .sort(([a, x], [b, y]) => (a === b ? order(x, y) : order(a, b)))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
  const head = `${call.method}\n${escaped(pathname).replaceAll('%2F', '/')}\n${query}`;
  const { body = '' } = call;
  if (typeof body !== 'string') throw clientError('invalid-argument', 'a body that is a stream cannot be signed');
  const canonical = `${head}\nhost:${host}\nx-amz-date:${date}\n\nhost;x-amz-date\n${await sha256(body)}`;
  return `AWS4-HMAC-SHA256\n${date}\n${scope}\n${await sha256(canonical)}`;
}

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** As AWS escapes: all but letters, digits and `-_.~`. */
const escaped = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`);

async function signingKey(secret: string, scope: string): Promise<ArrayBuffer> {
  let key = bytes(`AWS4${secret}`).buffer;
  for (const part of scope.split('/')) key = await hmac(key, part);
  return key;
}

async function hmac(key: ArrayBuffer, text: string): Promise<ArrayBuffer> {
  const { subtle } = globalThis.crypto;
  const imported = await subtle.importKey('raw', key, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  return subtle.sign('HMAC', imported, bytes(text));
}

const sha256 = async (text: string): Promise<string> =>
  hex(await globalThis.crypto.subtle.digest('SHA-256', bytes(text)));
const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
const hex = (buffer: ArrayBuffer): string =>
  Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, '0')).join('');
