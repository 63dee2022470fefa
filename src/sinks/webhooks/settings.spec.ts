import { RecordFault } from '../../directory/records/record-reader.js';
import type { CheckedSettings, StoredSettings } from '../sink-kind.js';
import { ReachableAddresses } from './addresses.js';
import { OVERLAP_MS, checkWebhook, signingKeys, webhookSettings } from './settings.js';
import { makeSecret, secretKey } from './signature.js';

const NOW = 1_700_000_000_000;
const url = 'https://example.com/hook';
const check = (given: object, before: StoredSettings | null = null, now = NOW): CheckedSettings =>
  checkWebhook({ url, ...given }, { tenant: 'acme', sink: 'hook', filter: {}, before, now }, new ReachableAddresses());
const keysAt = (stored: StoredSettings, now: number): readonly Uint8Array[] =>
  signingKeys(webhookSettings(stored), now);

describe('the settings of a webhook', () => {
  it('have a day of patience, and a secret that is made and shown once', () => {
    const made = check({});
    expect(made.settings).toEqual({ url, giveUpAfterSeconds: 86_400 });
    expect(made.shown).toEqual(made.secrets);
    expect(check({}, made)).toEqual({ settings: made.settings, secrets: made.secrets });
  });

  it('do not show a secret that was given', () => {
    const secret = makeSecret();
    expect(check({ secret })).toEqual({ settings: expect.anything(), secrets: { secret } });
    expect(check({ secret }, check({ secret })).secrets).toEqual({ secret });
  });

  it('sign with a secret that was replaced for a day more, the new one first', () => {
    const [first, second] = [makeSecret(), makeSecret()];
    const stored = check({ secret: second }, check({ secret: first }));
    const both = [second, first].map(secretKey);
    expect(keysAt(stored, NOW)).toEqual(both);
    expect(keysAt(stored, NOW + OVERLAP_MS - 1)).toEqual(both);
    expect(keysAt(stored, NOW + OVERLAP_MS)).toEqual([secretKey(second)]);
    const later = check({}, stored, NOW + OVERLAP_MS);
    expect(later.secrets).toEqual({ secret: second });
  });

  it('keep the last three replaced secrets, and none beside itself', () => {
    let stored: StoredSettings = check({ secret: null });
    const all = [stored.secrets.secret];
    for (let times = 0; times < 5; times++) {
      stored = check({ secret: null }, stored);
      all.unshift(stored.secrets.secret);
    }
    expect(keysAt(stored, NOW)).toEqual(all.slice(0, 4).map((secret) => secretKey(secret as string)));
    const back = check({ secret: all[1] }, stored);
    expect(keysAt(back, NOW)).toEqual([all[1], all[0], all[2], all[3]].map((secret) => secretKey(secret as string)));
  });

  it.each([
    [{ secret: 7 }, 'settings.secret: it must be text, or null'],
    [{ secret: '' }, 'settings.secret: a secret begins with whsec_'],
    [{ url: 'https://10.0.0.1' }, 'settings.url: 10.0.0.1 is a private address'],
    [{ url: 7 }, 'settings.url must be a URL'],
    [{ giveUpAfterSeconds: 0 }, 'settings.giveUpAfterSeconds must be a whole number'],
    [{ retries: 5 }, 'settings."retries" is unknown'],
  ])('%j are refused', (given, reason) => {
    expect(() => check(given)).toThrow(RecordFault);
    expect(() => check(given)).toThrow(reason);
  });
});
