import fc from 'fast-check';
import { hashOf } from '../../name-hash.js';
import { formatKey, isShadowKey, shadowsPrefix } from '../keys.js';
import { KeyBytes } from './key-bytes.js';

const PREFIX = '/p/';
const reader = new KeyBytes(shadowsPrefix(PREFIX));

/** Reads a key that lies between other bytes. */
function read(key: string): { readonly isKey: boolean; readonly hash: number; readonly thingHash: number } {
  const bytes = Buffer.from(`c/${key}/c`);
  const isKey = reader.read(bytes, 2, bytes.length - 2);
  return { isKey, hash: reader.hash, thingHash: reader.thingHash };
}

const name = fc.stringMatching(/^[a-zA-Z0-9:_-]{1,20}$/);
/** Keys of all forms, most of which are nearly right. */
const anyKey = fc.oneof(
  fc.array(fc.constantFrom('/p/', 'shadows/', '0a/', 't', '/', 'a', 'c', 'n:', 'n', ':', 'é'), { maxLength: 12 }),
  fc
    .array(fc.constantFrom('t', '/', 'a', 'c', 'n:', 'n', ':'), { maxLength: 8 })
    .map((parts) => ['/p/shadows/0a/', ...parts]),
);

it('knows the keys of shadows by their form, as keys.ts does', () => {
  const both = (parts: readonly string[]): void => {
    const key = parts.join('');
    expect({ key, isKey: read(key).isKey }).toEqual({ key, isKey: isShadowKey(PREFIX, key) });
  };
  fc.assert(fc.property(anyKey, both), { numRuns: 3_000 });
});

it('has the hashes of a key and its thing as of their strings', () => {
  const hashes = (tenant: string, thing: string, shadow: string | null): void => {
    const key = formatKey(PREFIX, { tenant, thing, name: shadow });
    expect(read(key)).toEqual({ isKey: true, hash: hashOf(key), thingHash: hashOf(thing) });
  };
  fc.assert(fc.property(name, name, fc.option(name), hashes));
});
