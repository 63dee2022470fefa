import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from './config-error.js';
import { loadConfig } from './load-config.js';
import { FROM_FILE } from './secret-files.js';

const folder = mkdtempSync(join(tmpdir(), 'umbra-secrets-'));
afterAll(() => rmSync(folder, { recursive: true }));

const ETCD = { UMBRA_ETCD_ENDPOINTS: 'https://etcd:2379', UMBRA_ETCD_USER: 'umbra', UMBRA_AUTH: 'off' };

function fileWith(text: string): string {
  const file = join(folder, 'secret');
  writeFileSync(file, text);
  return file;
}

function problems(source: Record<string, string>): string {
  try {
    loadConfig(source);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return '';
}

it('every secret that is no file already may come from one', () => {
  expect(FROM_FILE).toEqual(['UMBRA_BROKER_PASSWORD', 'UMBRA_ETCD_PASSWORD']);
});

it.each([
  ['hunter2', 'hunter2'],
  ['hunter2\n', 'hunter2'],
  ['hunter2\r\n', 'hunter2'],
  [' hunter2 ', ' hunter2 '],
])('a file with %j has the secret %j', (text, secret) => {
  expect(loadConfig({ ...ETCD, UMBRA_ETCD_PASSWORD_FILE: fileWith(text) }).etcd.password).toBe(secret);
});

it('a variable for a file that is empty counts as one that is not set', () => {
  const source = { ...ETCD, UMBRA_ETCD_PASSWORD: 'x', UMBRA_ETCD_PASSWORD_FILE: '' };
  expect(loadConfig(source).etcd.password).toBe('x');
});

it.each<[string, () => Record<string, string>, RegExp]>([
  [
    'both are given',
    () => ({ UMBRA_ETCD_PASSWORD: 'hunter2', UMBRA_ETCD_PASSWORD_FILE: fileWith('hunter2') }),
    /UMBRA_ETCD_PASSWORD_FILE is set together with UMBRA_ETCD_PASSWORD; remove one of them/,
  ],
  ['there is no file', () => ({ UMBRA_ETCD_PASSWORD_FILE: '/none/hunter2' }), /_FILE names .* read \(ENOENT\)/],
  ['it is a folder', () => ({ UMBRA_ETCD_PASSWORD_FILE: folder }), /_FILE names .* read \(EISDIR\)/],
  ['it is empty', () => ({ UMBRA_ETCD_PASSWORD_FILE: fileWith('\n') }), /_FILE names a file that is empty/],
  ['it is too large', () => ({ UMBRA_ETCD_PASSWORD_FILE: fileWith('x'.repeat(70_000)) }), /more than 65536 bytes/],
  ['it never ends', () => ({ UMBRA_ETCD_PASSWORD_FILE: '/dev/zero' }), /more than 65536 bytes/],
  [
    'it has more than a secret',
    () => ({ UMBRA_ETCD_PASSWORD_FILE: fileWith('hunter2\n\n') }),
    /_PASSWORD must be 1 to/,
  ],
  [
    'the setting is no secret',
    () => ({ UMBRA_ETCD_USER_FILE: fileWith('x') }),
    /UMBRA_ETCD_USER_FILE is not a variable/,
  ],
])('a node does not start when %s, and shows nothing of it', (_, source, found) => {
  const text = problems({ ...ETCD, ...source() });
  expect(text).toMatch(found);
  expect(text).not.toContain('hunter2');
});
