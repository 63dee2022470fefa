import { DEFAULT_LIMITS } from '../document/limits.js';
import { ServiceError } from '../errors/service-error.js';
import { parseTransaction } from './parse-transaction.js';

const parse = (body: unknown) => parseTransaction(Buffer.from(JSON.stringify(body)), DEFAULT_LIMITS);
const refusal = (run: () => unknown): [string, string, string | undefined] => {
  try {
    run();
  } catch (error) {
    if (error instanceof ServiceError) return [error.code, error.message, error.clientToken];
    throw error;
  }
  return ['none', '', undefined];
};
const ofOne = (operation: object) => refusal(() => parse({ clientToken: 'k', operations: [operation] }));
const update = { op: 'update', thing: 'a', state: { desired: { x: 1 } } };

describe('the body of a transaction', () => {
  it('is read with every kind of operation', () => {
    const conditions = [
      { path: '/reported/door', equals: 'closed' },
      { thing: 'b', path: '', exists: false },
      { thing: 'b', shadow: 's', path: '/desired/a~1b/0', exists: true },
      { shadow: 's', path: '/desired', exists: true },
    ];
    const { operations, clientToken } = parse({
      clientToken: 'k',
      operations: [
        { ...update, version: 0, conditions },
        { op: 'replace', thing: 'a', shadow: 's', section: 'reported', value: {} },
        { op: 'delete', thing: 'c', shadow: null },
        { op: 'check', thing: 'd' },
        { op: 'promote', thing: 'e', from: 'staging', version: 3, fromVersion: 4, schema: { required: ['x'] } },
      ],
    });
    expect(clientToken).toBe('k');
    expect(operations).toMatchObject([
      {
        ...{ op: 'update', thing: 'a', shadow: null, version: 0 },
        conditions: [
          { thing: 'a', shadow: null, parts: ['reported', 'door'], expected: { equals: 'closed' } },
          { thing: 'b', shadow: null, parts: [], expected: { exists: false } },
          { thing: 'b', shadow: 's', parts: ['desired', 'a/b', '0'] },
          { thing: 'a', shadow: 's' },
        ],
      },
      { op: 'replace', shadow: 's', section: 'reported', value: {} },
      { op: 'delete', shadow: null },
      { op: 'check', thing: 'd' },
      {
        thing: 'e',
        shadow: null,
        from: { thing: 'e', shadow: 'staging' },
        version: 3,
        fromVersion: 4,
        schema: { steps: 11 },
      },
    ]);
  });

  it.each<[object, string, RegExp]>([
    [{}, 'invalidRequest', /^operations\[0\]\.op: must be one of update, replace, delete, check, promote$/],
    [{ op: 'toString', thing: 'a' }, 'invalidRequest', /\.op: /],
    [{ ...update, verison: 1 }, 'invalidRequest', /^operations\[0\]: has no member verison; it may have op, /],
    [{ op: 'check', thing: 'a', state: {} }, 'invalidRequest', /no member state/],
    [{ op: 'update', thing: 'a' }, 'missingState', /^operations\[0\]: Missing required node: state$/],
    [{ ...update, thing: 'a/b' }, 'invalidThingName', /^operations\[0\]: Invalid thing name/],
    [{ ...update, thing: 1 }, 'invalidRequest', /thing: must be/],
    [{ ...update, shadow: '' }, 'invalidShadowName', /Invalid shadow name/],
    [{ ...update, version: -1 }, 'invalidRequest', /version: must be a whole number/],
    [{ ...update, state: { delta: {} } }, 'invalidStateNode', /^operations\[0\]: State contains/],
    [{ ...update, state: { desired: [] } }, 'desiredNotObject', /./],
    [{ ...update, state: { desired: { a: [null] } } }, 'nullInArray', /./],
    [{ ...update, state: { desired: { a: 'x'.repeat(33_000) } } }, 'tooLarge', /one operation: 32768 bytes/],
    [{ op: 'replace', thing: 'a', section: 'delta', value: {} }, 'invalidRequest', /section: must be one of desired/],
    [{ op: 'replace', thing: 'a', section: 'desired', value: null }, 'invalidRequest', /value: must be the object/],
    [{ op: 'promote', thing: 'a' }, 'invalidRequest', /from: must be the name/],
    [{ op: 'promote', thing: 'a', from: 's', to: 's' }, 'invalidRequest', /to: must be another shadow/],
    [
      { op: 'promote', thing: 'a', from: 's', schema: { $ref: '#' } },
      'invalidRequest',
      /^operations\[0\]\.schema\.\$ref: /,
    ],
    [{ ...update, conditions: {} }, 'invalidRequest', /conditions: must be a list/],
    [
      { ...update, conditions: [{ path: '/state/a', equals: 1 }] },
      'invalidRequest',
      /conditions\[0\]\.path: must be a JSON/,
    ],
    [{ ...update, conditions: [{ path: '/desired' }] }, 'invalidRequest', /one of equals and exists/],
    [{ ...update, conditions: [{ path: '/desired', exists: 1 }] }, 'invalidRequest', /exists: must be/],
    [{ ...update, conditions: [{ path: '/desired', equals: null }] }, 'invalidRequest', /equals: no shadow has null/],
    [{ ...update, conditions: [{ path: '/desired', equal: 1 }] }, 'invalidRequest', /no member equal/],
    [{ ...update, conditions: [{ thing: null, path: '/desired', exists: true }] }, 'none', /^$/],
  ])('is refused for the operation %.80j', (operation, code, text) => {
    const [found, message, token] = ofOne(operation);
    expect([found, message]).toEqual([code, expect.stringMatching(text)]);
    if (code !== 'none') expect(token).toBe('k');
  });

  it('is refused without operations, with more than 100, and with more than 100 shadows', () => {
    const many = (count: number) => Array.from({ length: count }, (_, i) => ({ ...update, thing: `t${i}` }));
    for (const operations of [undefined, [], {}, many(101)]) {
      expect(refusal(() => parse({ operations }))[1]).toMatch(/^operations: must be a list of 1 to 100 operations$/);
    }
    expect(refusal(() => parse({ operations: many(100) }))[0]).toBe('none');
    const looking = { ...update, conditions: [{ thing: 'other', path: '', exists: true }] };
    expect(refusal(() => parse({ operations: [...many(100).slice(1), looking] }))[1]).toMatch(/name 101 shadows/);
    expect(refusal(() => parse([]))[0]).toBe('invalidRequest');
    expect(refusal(() => parse({ operations: [update], clientToken: 1 }))[0]).toBe('invalidClientToken');
    expect(refusal(() => parse({ operations: [update], token: 'k' }))[1]).toMatch(/no member token/);
  });

  it('may change a shadow several times, or delete it, but not both', () => {
    const gone = { op: 'delete', thing: 'a' };
    expect(refusal(() => parse({ operations: [update, update] }))[0]).toBe('none');
    expect(refusal(() => parse({ operations: [{ op: 'check', thing: 'a' }, gone] }))[0]).toBe('none');
    for (const operations of [
      [update, gone],
      [gone, update],
      [gone, gone],
    ]) {
      expect(refusal(() => parse({ operations }))).toEqual([
        'invalidRequest',
        expect.stringMatching(/deletes a/),
        undefined,
      ]);
    }
    const promote = { op: 'promote', thing: 'a', from: 's' };
    expect(refusal(() => parse({ operations: [promote, { ...gone, shadow: 's' }] }))[0]).toBe('invalidRequest');
  });

  it('is refused unparsed when it is nested too deeply, and with more bytes than a transaction has', () => {
    const deep = Buffer.from(`{"operations":${'['.repeat(400_000)}`);
    expect(refusal(() => parseTransaction(deep, DEFAULT_LIMITS))[0]).toBe('tooDeep');
    expect(refusal(() => parseTransaction(Buffer.alloc(1024 * 1024 + 1), DEFAULT_LIMITS))[0]).toBe('tooLarge');
    const brackets = { ...update, state: { desired: { x: '["'.repeat(1_000) } } };
    expect(ofOne(brackets)[0]).toBe('none');
  });
});
