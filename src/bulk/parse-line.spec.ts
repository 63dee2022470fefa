import { DEFAULT_LIMITS } from '../document/limits.js';
import { ServiceError } from '../errors/service-error.js';
import { parseLine } from './parse-line.js';

const parse = (line: object | string) =>
  parseLine(Buffer.from(typeof line === 'string' ? line : JSON.stringify(line)), DEFAULT_LIMITS);
const lamp = { thing: 'lamp', desired: { on: true } };

it.each([
  ['the least', lamp, null, { thing: 'lamp', shadow: null, update: { state: { desired: { on: true } } } }],
  [
    'all members',
    { id: 'a/1', thing: 'lamp', shadow: 's', desired: { on: null }, version: 0 },
    'a/1',
    { thing: 'lamp', shadow: 's', update: { state: { desired: { on: null } }, version: 0 } },
  ],
  [
    'null for what is absent',
    { ...lamp, id: null, shadow: null, version: null },
    null,
    { thing: 'lamp', shadow: null, update: { state: { desired: { on: true } } } },
  ],
  [
    'a section to clear',
    { thing: 'lamp', desired: null },
    null,
    { thing: 'lamp', shadow: null, update: { state: { desired: null } } },
  ],
])('takes %s', (_title, line, id, change) => expect(parse(line)).toEqual({ id, change }));

it.each<[string, object | string, string, string, (string | null)?]>([
  ['no JSON', '{"thing"', 'invalidJson', 'Invalid JSON at'],
  ['an array', '[1]', 'invalidRequest', 'The line must be a JSON object'],
  ['a misspelt member', { ...lamp, verison: 1 }, 'invalidRequest', 'has no member verison; it may have id'],
  ['a section of the device', { thing: 'lamp', reported: {} }, 'invalidRequest', 'has no member reported'],
  ['an empty id', { ...lamp, id: '' }, 'invalidRequest', 'id must be a text of 1 to 128'],
  ['a long id', { ...lamp, id: 'x'.repeat(129) }, 'invalidRequest', 'id must be a text'],
  ['an id that is a number', { ...lamp, id: 7 }, 'invalidRequest', 'id must be a text'],
  ['no thing', { id: 'q', desired: {} }, 'invalidRequest', 'thing must be the name', 'q'],
  ['a bad thing', { ...lamp, thing: 'a b' }, 'invalidThingName', 'Invalid thing name'],
  ['a bad shadow', { ...lamp, shadow: 'a/b' }, 'invalidShadowName', 'Invalid shadow name'],
  ['a shadow that is no name', { ...lamp, shadow: 1 }, 'invalidRequest', 'shadow must be the name'],
  ['no change', { id: 'q', thing: 'lamp' }, 'invalidRequest', 'desired must be there', 'q'],
  ['a change that is no object', { thing: 'lamp', desired: [1] }, 'desiredNotObject', 'must be an object'],
  ['null in an array', { thing: 'lamp', desired: { a: [null] } }, 'nullInArray', 'desired.a[0]'],
  ['a version that is none', { ...lamp, version: 1.5 }, 'invalidRequest', 'version must be a whole number'],
  ['a large change', { thing: 'lamp', desired: { a: 'x'.repeat(32 * 1024) } }, 'tooLarge', 'desired: 32768 bytes'],
])('refuses %s', (_title, line, code, text, id = null) => {
  const parsed = parse(line);
  expect([parsed.id, parsed.change]).toEqual([id, expect.any(ServiceError)]);
  expect(parsed.change).toMatchObject({ code, message: expect.stringContaining(text) as string });
});

it('refuses bytes that are no UTF-8', () => {
  expect(parseLine(Buffer.from([0x22, 0xff, 0x22]), DEFAULT_LIMITS).change).toMatchObject({ code: 'notUtf8' });
});

it('keeps __proto__ a plain member', () => {
  const { change } = parse('{"thing":"lamp","desired":{"__proto__":{"on":true}}}');
  expect(JSON.stringify(change)).toContain('"__proto__":{"on":true}');
  expect(({} as { on?: boolean }).on).toBeUndefined();
  expect(parse('{"thing":"lamp","desired":{},"__proto__":1}').change).toMatchObject({ code: 'invalidRequest' });
});
