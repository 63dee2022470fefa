import { readObject, RecordFault, type NameRule } from '../directory/records/record-reader.js';
import { secretText, splitSecrets } from './secret-settings.js';
import { checkHosts, serverRule } from './server-address.js';
import type { CheckedSettings, SettingsContext, StoredSettings } from './sink-kind.js';

export interface RedisSettings {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  readonly database: number;
  readonly user: string | null;
  readonly password: string | null;
  /** Key of the stream. */
  readonly stream: string;
  /** Entries that the stream keeps, about; 0: all. */
  readonly maxLength: number;
  /** Beginning of the keys of the read cache; null: there is none. */
  readonly cachePrefix: string | null;
  /** Seconds after its last change that a document stays in the cache; 0: always. */
  readonly cacheSeconds: number;
  /** Seconds that a deleted shadow stays known in the cache. */
  readonly tombstoneSeconds: number;
}

const SECRETS = ['password'];
const SERVER = serverRule('redis', 'rediss');
const KEY: NameRule = {
  pattern: /^[A-Za-z0-9:._{}-]{1,128}$/,
  words: '1 to 128 letters, digits, ":", ".", "_", "-", "{", "}"',
};
const USER: NameRule = { pattern: /^[^\p{Cc}\p{Cs}]{1,256}$/u, words: '1 to 256 printable characters' };
const YEAR_SECONDS = 31_536_000;

/** @throws RecordFault */
export function checkRedis(
  given: Readonly<Record<string, unknown>>,
  { tenant, before, filter }: SettingsContext,
  hosts: readonly string[],
): CheckedSettings {
  const { rest, secrets } = splitSecrets(given, SECRETS, before, 'server');
  const settings = {
    ...{ database: 0, user: null, stream: `umbra:${tenant}`, maxLength: 1_000_000 },
    ...{ cachePrefix: null, cacheSeconds: 0, tombstoneSeconds: 86_400 },
    ...rest,
  };
  const { cachePrefix } = redisSettings({ settings, secrets });
  checkHosts([String(rest['server'])], hosts);
  const { kinds, paths, delta } = filter;
  if (cachePrefix !== null && (kinds !== undefined || paths !== undefined || delta !== undefined))
    throw new RecordFault('settings.cachePrefix needs every change of a shadow; leave out kinds, paths and delta');
  return { settings: JSON.parse(JSON.stringify(settings)), secrets };
}

/** @throws RecordFault */
export function redisSettings({ settings, secrets }: StoredSettings): RedisSettings {
  const { server, ...read } = readObject(settings, 'settings', (reader) => ({
    server: reader.name('server', SERVER),
    database: reader.count('database', 0, 1_000_000),
    user: reader.nameOrNull('user', USER),
    stream: reader.name('stream', KEY),
    maxLength: reader.count('maxLength', 0, Number.MAX_SAFE_INTEGER),
    cachePrefix: reader.nameOrNull('cachePrefix', KEY),
    cacheSeconds: reader.count('cacheSeconds', 0, YEAR_SECONDS),
    tombstoneSeconds: reader.count('tombstoneSeconds', 60, YEAR_SECONDS),
  }));
  const address = server.slice(server.indexOf('://') + 3);
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '');
  const tls = server.startsWith('rediss:');
  return { ...read, host, port: Number(address.slice(colon + 1)), tls, password: secretText(secrets, 'password') };
}
