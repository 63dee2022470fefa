import { readObject, RecordFault, type NameRule } from '../directory/records/record-reader.js';
import { secretText, splitSecrets } from './secret-settings.js';
import { checkHosts, serverRule } from './server-address.js';
import type { CheckedSettings, SettingsContext, StoredSettings } from './sink-kind.js';

export interface NatsSettings {
  readonly servers: readonly string[];
  readonly tls: boolean;
  readonly stream: string;
  /** First token of the subjects. */
  readonly prefix: string;
  /** Makes the stream when there is none. */
  readonly createStream: boolean;
  /** Of a stream that is made; 0: messages stay. */
  readonly maxAgeSeconds: number;
  /** Of a stream that is made; 0: no limit. */
  readonly maxBytes: number;
  /** Of a stream that is made. */
  readonly replicas: number;
  readonly user: string | null;
  readonly password: string | null;
  readonly token: string | null;
}

const SECRETS = ['password', 'token'];
const SERVER = serverRule('nats', 'tls');
const STREAM: NameRule = {
  pattern: /^[A-Za-z0-9_-]{1,64}$/,
  words: 'the name of a stream: 1 to 64 letters, digits, "_", "-"',
};
const PREFIX: NameRule = { pattern: /^[A-Za-z0-9_-]{1,64}$/, words: '1 to 64 letters, digits, "_", "-"' };
const USER: NameRule = { pattern: /^[^\p{Cc}\p{Cs}]{1,256}$/u, words: '1 to 256 printable characters' };
const MAX_SERVERS = 10;
const YEAR_SECONDS = 31_536_000;

/** @throws RecordFault */
export function checkNats(
  given: Readonly<Record<string, unknown>>,
  { tenant, before }: SettingsContext,
  hosts: readonly string[],
): CheckedSettings {
  const { rest, secrets } = splitSecrets(given, SECRETS, before, 'servers');
  const settings = {
    ...{
      stream: `umbra-${tenant}`,
      prefix: 'umbra',
      createStream: true,
      maxAgeSeconds: 0,
      maxBytes: 0,
      replicas: 1,
      user: null,
    },
    ...rest,
  };
  const { servers } = natsSettings({ settings, secrets });
  if (servers.length === 0) throw new RecordFault('settings.servers must name a server');
  checkHosts(servers, hosts);
  return { settings: JSON.parse(JSON.stringify(settings)), secrets };
}

/** @throws RecordFault */
export function natsSettings({ settings, secrets }: StoredSettings): NatsSettings {
  const read = readObject(settings, 'settings', (reader) => ({
    servers: reader.names('servers', SERVER, MAX_SERVERS),
    stream: reader.name('stream', STREAM),
    prefix: reader.name('prefix', PREFIX),
    createStream: reader.flag('createStream'),
    maxAgeSeconds: reader.count('maxAgeSeconds', 0, 100 * YEAR_SECONDS),
    maxBytes: reader.count('maxBytes', 0, Number.MAX_SAFE_INTEGER),
    replicas: reader.count('replicas', 1, 5),
    user: reader.nameOrNull('user', USER),
  }));
  const encrypted = read.servers.filter((url) => url.startsWith('tls:'));
  if (encrypted.length > 0 && encrypted.length < read.servers.length)
    throw new RecordFault('settings.servers must all begin with tls://, or none of them');
  const [password, token] = [secretText(secrets, 'password'), secretText(secrets, 'token')];
  if (password !== null && read.user === null) throw new RecordFault('settings.password needs settings.user');
  return { ...read, tls: encrypted.length > 0, password, token };
}
