import { readObject, RecordFault, type NameRule } from '../../directory/records/record-reader.js';
import type { JsonObject } from '../../document/shadow-document.js';
import type { CheckedSettings, SettingsContext, StoredSettings } from '../sink-kind.js';
import type { ReachableAddresses } from './addresses.js';
import { endpointUrl, RefusedUrl } from './endpoint-client.js';
import { makeSecret, secretKey } from './signature.js';

/** Milliseconds for which a secret that was replaced still signs: receivers change theirs meanwhile. */
export const OVERLAP_MS = 86_400_000;
/** Secrets that were replaced and still sign, the newest first; each is one more signature. */
const MAX_REPLACED = 3;

const DAY_SECONDS = 86_400;
const URL_RULE: NameRule = { pattern: /^[\x21-\x7e]{1,2048}$/, words: 'a URL of at most 2048 characters' };
const SECRET: NameRule = { pattern: /^whsec_.+$/, words: 'a secret' };

/** A secret that no longer counts alone. */
interface ReplacedSecret {
  readonly secret: string;
  /** Epoch milliseconds. */
  readonly untilMs: number;
}

export interface WebhookSettings {
  readonly url: string;
  readonly giveUpMs: number;
  readonly secret: string;
  readonly replaced: readonly ReplacedSecret[];
}

/**
 * Fills in what a request leaves out. `secret` is a text; null asks for another one that the service makes, and no member
 * keeps that which is there. A secret that was made is shown in the answer, once.
 * @throws RecordFault
 */
export function checkWebhook(
  given: Readonly<Record<string, unknown>>,
  { before, now }: SettingsContext,
  reachable: ReachableAddresses,
): CheckedSettings {
  const { secret: wanted, ...rest } = given;
  const settings = { giveUpAfterSeconds: DAY_SECONDS, ...rest } as JsonObject;
  const old = before === null ? null : secretsOf(before.secrets);
  const keeps = wanted === undefined && old !== null;
  const secret = keeps ? old.secret : wanted === undefined || wanted === null ? makeSecret() : checkedSecret(wanted);
  const valid = (old?.replaced ?? []).filter((each) => each.untilMs > now && each.secret !== secret);
  const gone = old !== null && old.secret !== secret ? [{ secret: old.secret, untilMs: now + OVERLAP_MS }] : [];
  const replaced = [...gone, ...valid].slice(0, MAX_REPLACED).map((each) => ({ ...each }));
  const stored = { settings, secrets: { secret, ...(replaced.length > 0 && { replaced }) } };
  const { url } = webhookSettings(stored);
  try {
    endpointUrl(url, reachable);
  } catch (error) {
    if (error instanceof RefusedUrl) throw new RecordFault(`settings.url: ${error.message}`);
    throw error;
  }
  const isMade = !keeps && typeof wanted !== 'string';
  return { ...stored, ...(isMade && { shown: { secret } }) };
}

/** @throws RecordFault */
export function webhookSettings({ settings, secrets }: StoredSettings): WebhookSettings {
  const { url, seconds } = readObject(settings, 'settings', (reader) => ({
    url: reader.name('url', URL_RULE),
    seconds: reader.count('giveUpAfterSeconds', 1, 7 * DAY_SECONDS),
  }));
  return { url, giveUpMs: seconds * 1000, ...secretsOf(secrets) };
}

/** Keys that sign at a time, the newest first. @param now epoch milliseconds. No errors for settings that were checked. */
export function signingKeys({ secret, replaced }: WebhookSettings, now: number): readonly Uint8Array[] {
  const valid = replaced.filter(({ untilMs }) => untilMs > now);
  return [secret, ...valid.map((each) => each.secret)].map(secretKey);
}

function secretsOf(secrets: JsonObject): Pick<WebhookSettings, 'secret' | 'replaced'> {
  return readObject({ replaced: [], ...secrets }, 'secrets', (reader) => ({
    secret: reader.name('secret', SECRET),
    replaced: reader.items('replaced', MAX_REPLACED, (item) => ({
      secret: item.name('secret', SECRET),
      untilMs: item.timeMs('untilMs'),
    })),
  }));
}

function checkedSecret(value: unknown): string {
  try {
    if (typeof value !== 'string') throw new RangeError('it must be text, or null for one that is made here');
    secretKey(value);
    return value;
  } catch (error) {
    throw new RecordFault(`settings.secret: ${(error as RangeError).message}`);
  }
}
