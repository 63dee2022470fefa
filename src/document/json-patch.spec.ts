import { ServiceError } from '../errors/service-error.js';
import { applyUpdate } from './apply-update.js';
import { MAX_OPERATIONS, parseJsonPatch } from './json-patch.js';
import { DEFAULT_LIMITS } from './limits.js';
import type { Json, JsonObject, ShadowDocument } from './shadow-document.js';
import { StoredDocument, StoredSection } from './stored-document.js';

const limits = DEFAULT_LIMITS;
const bytes = (patch: unknown): Buffer => Buffer.from(typeof patch === 'string' ? patch : JSON.stringify(patch));
const document = (desired: JsonObject, reported?: JsonObject): ShadowDocument =>
  StoredDocument.of({ version: 1, desired, ...(reported && { reported }), metadata: {} });

/** `desired` after a patch of it, or the code of the error. */
function patched(desired: JsonObject, patch: unknown): Json {
  try {
    const request = parseJsonPatch(bytes(patch), 'desired', limits).updateOf(document(desired), limits);
    return applyUpdate(document(desired), request, { now: 0, limits }).desired ?? {};
  } catch (error) {
    if (error instanceof ServiceError) return error.code;
    throw error;
  }
}

describe('a JSON Patch', () => {
  // The cases of github.com/json-patch/json-patch-tests and of RFC 6902 appendix A that a section can have: objects at the
  // top, and no null.
  it.each<[string, JsonObject, unknown, Json]>([
    ['nothing', { foo: 1 }, [], { foo: 1 }],
    ['A.1 add a member', { foo: 'bar' }, [{ op: 'add', path: '/baz', value: 'qux' }], { foo: 'bar', baz: 'qux' }],
    [
      'A.2 add an element',
      { foo: ['bar', 'baz'] },
      [{ op: 'add', path: '/foo/1', value: 'qux' }],
      { foo: ['bar', 'qux', 'baz'] },
    ],
    ['A.3 remove a member', { baz: 'qux', foo: 'bar' }, [{ op: 'remove', path: '/baz' }], { foo: 'bar' }],
    [
      'A.4 remove an element',
      { foo: ['bar', 'qux', 'baz'] },
      [{ op: 'remove', path: '/foo/1' }],
      { foo: ['bar', 'baz'] },
    ],
    [
      'A.5 replace a value',
      { baz: 'qux', foo: 'bar' },
      [{ op: 'replace', path: '/baz', value: 'boo' }],
      { baz: 'boo', foo: 'bar' },
    ],
    [
      'A.6 move a value',
      { foo: { bar: 'baz', waldo: 'fred' }, qux: { corge: 'grault' } },
      [{ op: 'move', from: '/foo/waldo', path: '/qux/thud' }],
      { foo: { bar: 'baz' }, qux: { corge: 'grault', thud: 'fred' } },
    ],
    [
      'A.7 move an element',
      { foo: ['all', 'grass', 'cows', 'eat'] },
      [{ op: 'move', from: '/foo/1', path: '/foo/3' }],
      { foo: ['all', 'cows', 'eat', 'grass'] },
    ],
    [
      'A.8 test what is so',
      { baz: 'qux', foo: ['a', 2, 'c'] },
      [
        { op: 'test', path: '/baz', value: 'qux' },
        { op: 'test', path: '/foo/1', value: 2 },
      ],
      { baz: 'qux', foo: ['a', 2, 'c'] },
    ],
    ['A.9 test what is not so', { baz: 'qux' }, [{ op: 'test', path: '/baz', value: 'bar' }], 'patchFailed'],
    [
      'A.10 add a nested object',
      { foo: 'bar' },
      [{ op: 'add', path: '/child', value: { grandchild: {} } }],
      { foo: 'bar', child: { grandchild: {} } },
    ],
    [
      'A.11 an unknown member of an operation',
      { foo: 'bar' },
      [{ op: 'add', path: '/baz', value: 'qux', xyz: 123 }],
      { foo: 'bar', baz: 'qux' },
    ],
    [
      'A.12 add below what is not there',
      { foo: 'bar' },
      [{ op: 'add', path: '/baz/bat', value: 'qux' }],
      'patchFailed',
    ],
    ['A.14 ~ in members', { '/': 9, '~1': 10 }, [{ op: 'test', path: '/~01', value: 10 }], { '/': 9, '~1': 10 }],
    ['A.15 a number is no string', { '/': 9, '~1': 10 }, [{ op: 'test', path: '/~01', value: '10' }], 'patchFailed'],
    [
      'A.16 add at the end',
      { foo: ['bar'] },
      [{ op: 'add', path: '/foo/-', value: ['abc', 'def'] }],
      { foo: ['bar', ['abc', 'def']] },
    ],
    ['add replaces a member', { foo: 1 }, [{ op: 'add', path: '/foo', value: 'x' }], { foo: 'x' }],
    ['add with a name of digits', { foo: 1 }, [{ op: 'add', path: '/0', value: 'bar' }], { foo: 1, 0: 'bar' }],
    ['add to the empty name', { foo: 1 }, [{ op: 'add', path: '/', value: 1 }], { foo: 1, '': 1 }],
    ['add at the length', { a: [1, 2] }, [{ op: 'add', path: '/a/2', value: 3 }], { a: [1, 2, 3] }],
    ['add beyond the end', { a: [1, 2] }, [{ op: 'add', path: '/a/3', value: 3 }], 'patchFailed'],
    ['add before the start', { a: [1, 2] }, [{ op: 'add', path: '/a/-1', value: 3 }], 'patchFailed'],
    ['add with a leading zero', { a: [1, 2] }, [{ op: 'add', path: '/a/01', value: 3 }], 'patchFailed'],
    ['add at 1e0', { a: [1, 2] }, [{ op: 'add', path: '/a/1e0', value: 3 }], 'patchFailed'],
    ['a member of an array', { a: ['foo'] }, [{ op: 'add', path: '/a/bar', value: 42 }], 'patchFailed'],
    ['a member of a scalar', { a: 'foo' }, [{ op: 'add', path: '/a/b', value: 42 }], 'patchFailed'],
    [
      'add in a nested array',
      { a: [1, 2, [3, [4, 5]]] },
      [{ op: 'add', path: '/a/2/1/-', value: { foo: ['bar'] } }],
      { a: [1, 2, [3, [4, 5, { foo: ['bar'] }]]] },
    ],
    ['remove what is not there', { foo: 1 }, [{ op: 'remove', path: '/bar' }], 'patchFailed'],
    ['remove a missing element', { a: [1] }, [{ op: 'remove', path: '/a/1' }], 'patchFailed'],
    ['remove the end', { a: [1] }, [{ op: 'remove', path: '/a/-' }], 'patchFailed'],
    [
      'remove in turn',
      { a: [1, 2, 3, 4] },
      [
        { op: 'remove', path: '/a/1' },
        { op: 'remove', path: '/a/2' },
      ],
      { a: [1, 3] },
    ],
    [
      'remove nested',
      { foo: 1, bar: [1, { baz: 'x' }] },
      [{ op: 'remove', path: '/bar/1/baz' }],
      { foo: 1, bar: [1, {}] },
    ],
    ['replace what is not there', { foo: 1 }, [{ op: 'replace', path: '/bar', value: 1 }], 'patchFailed'],
    ['replace the element behind the last', { a: [1] }, [{ op: 'replace', path: '/a/1', value: 1 }], 'patchFailed'],
    [
      'replace an object by another',
      { a: { b: 1, c: { d: 1 } } },
      [{ op: 'replace', path: '/a', value: { c: { e: 2 } } }],
      { a: { c: { e: 2 } } },
    ],
    ['replace an object by an empty one', { a: { b: 1 } }, [{ op: 'replace', path: '/a', value: {} }], { a: {} }],
    ['replace an array by an object', { a: [1] }, [{ op: 'replace', path: '/a', value: { b: 1 } }], { a: { b: 1 } }],
    ['replace all', { baz: 'qux' }, [{ op: 'replace', path: '', value: { a: 1 } }], { a: 1 }],
    ['replace all by an array', { baz: 'qux' }, [{ op: 'replace', path: '', value: [1] }], 'desiredNotObject'],
    ['remove all', { baz: 'qux' }, [{ op: 'remove', path: '' }], {}],
    [
      'remove all and go on',
      { baz: 'qux' },
      [
        { op: 'remove', path: '' },
        { op: 'add', path: '/a', value: 1 },
      ],
      'patchFailed',
    ],
    [
      'test all',
      { foo: 1, bar: [{ a: 1 }] },
      [{ op: 'test', path: '', value: { bar: [{ a: 1 }], foo: 1 } }],
      { foo: 1, bar: [{ a: 1 }] },
    ],
    ['test null', { foo: 1 }, [{ op: 'test', path: '/bar', value: null }], 'patchFailed'],
    ['test an array for an object', { foo: ['a'] }, [{ op: 'test', path: '/foo', value: { 0: 'a' } }], 'patchFailed'],
    ['numbers by their value', { foo: 10 }, '[{"op":"test","path":"/foo","value":1e1}]', { foo: 10 }],
    ['move to itself', { foo: 1 }, [{ op: 'move', from: '/foo', path: '/foo' }], { foo: 1 }],
    ['move into itself', { foo: {} }, [{ op: 'move', from: '/foo', path: '/foo/a' }], 'invalidPatch'],
    ['move up', { a: { b: { c: 1 } } }, [{ op: 'move', from: '/a/b', path: '/a' }], { a: { c: 1 } }],
    [
      'move an object and touch it',
      { a: { b: 1 } },
      [
        { op: 'move', from: '/a', path: '/c' },
        { op: 'add', path: '/c/d', value: 2 },
      ],
      { c: { b: 1, d: 2 } },
    ],
    ['move from nowhere', { a: 1 }, [{ op: 'move', from: '/b', path: '/a' }], 'patchFailed'],
    [
      'copy',
      { baz: [{ qux: 'hello' }], bar: 1 },
      [{ op: 'copy', from: '/baz/0', path: '/boo' }],
      { baz: [{ qux: 'hello' }], bar: 1, boo: { qux: 'hello' } },
    ],
    [
      'copy, and change the copy alone',
      { a: { b: 1 } },
      [
        { op: 'copy', from: '/a', path: '/c' },
        { op: 'replace', path: '/c/b', value: 2 },
      ],
      { a: { b: 1 }, c: { b: 2 } },
    ],
    ['copy from nowhere', { a: 1 }, [{ op: 'copy', from: '/b', path: '/a' }], 'patchFailed'],
    [
      'add, then remove',
      { a: 1 },
      [
        { op: 'add', path: '/b', value: 1 },
        { op: 'remove', path: '/b' },
      ],
      { a: 1 },
    ],
    [
      'remove, then add',
      { a: { b: 1 } },
      [
        { op: 'remove', path: '/a' },
        { op: 'add', path: '/a', value: { c: 1 } },
      ],
      { a: { c: 1 } },
    ],
    [
      'all or nothing',
      { a: 1 },
      [
        { op: 'add', path: '/b', value: 1 },
        { op: 'test', path: '/a', value: 2 },
      ],
      'patchFailed',
    ],
    [
      'no prototype',
      { a: 1 },
      '[{"op":"add","path":"/__proto__","value":{"x":1}}]',
      JSON.parse('{"a":1,"__proto__":{"x":1}}') as Json,
    ],
    ['nothing inherited', { a: 1 }, [{ op: 'test', path: '/constructor', value: 1 }], 'patchFailed'],
    ['nothing below what is inherited', { a: 1 }, [{ op: 'add', path: '/__proto__/x', value: 1 }], 'patchFailed'],
    ['no operation', {}, [{ op: 'spam', path: '/a', value: 1 }], 'invalidPatch'],
    ['no op', {}, [{ path: '/a', value: 1 }], 'invalidPatch'],
    ['no path', {}, [{ op: 'add', value: 1 }], 'invalidPatch'],
    ['a path without a slash', {}, [{ op: 'add', path: 'a', value: 1 }], 'invalidPatch'],
    ['a path with ~2', {}, [{ op: 'add', path: '/~2', value: 1 }], 'invalidPatch'],
    ['a path that is a number', {}, [{ op: 'add', path: 1, value: 1 }], 'invalidPatch'],
    ['no value', {}, [{ op: 'add', path: '/a' }], 'invalidPatch'],
    ['no from', { a: 1 }, [{ op: 'copy', path: '/b' }], 'invalidPatch'],
    ['no object', {}, ['add'], 'invalidPatch'],
    ['no array', {}, { op: 'add', path: '/a', value: 1 }, 'invalidPatch'],
    ['no JSON', {}, '[', 'invalidJson'],
    ['null, which a shadow cannot hold', {}, [{ op: 'add', path: '/a', value: { b: null } }], 'invalidPatch'],
    ['null in an array', {}, [{ op: 'add', path: '/a', value: [null] }], 'invalidPatch'],
    ['a number that is none', {}, '[{"op":"add","path":"/a","value":1e400}]', 'numberTooLarge'],
    ['too many operations', {}, Array(MAX_OPERATIONS + 1).fill({ op: 'add', path: '/a', value: 1 }), 'invalidPatch'],
    ['too large a result', { a: 'x'.repeat(4_100) }, [{ op: 'copy', from: '/a', path: '/b' }], 'tooLarge'],
    ['too large a body', {}, [{ op: 'add', path: '/a', value: 'x'.repeat(40_000) }], 'tooLarge'],
    ['too deep a value', {}, `[{"op":"add","path":"/a","value":${'['.repeat(3_000)}${']'.repeat(3_000)}}]`, 'tooDeep'],
    [
      'too deep a place',
      { a: { b: { c: { d: { e: { f: { g: {} } } } } } } },
      [{ op: 'add', path: '/a/b/c/d/e/f/g/h', value: [1] }],
      'tooDeep',
    ],
    [
      'as deep as it may be',
      { a: { b: { c: { d: { e: { f: { g: {} } } } } } } },
      [{ op: 'add', path: '/a/b/c/d/e/f/g/h', value: [] }],
      { a: { b: { c: { d: { e: { f: { g: { h: [] } } } } } } } },
    ],
  ])('%s', (_name, desired, patch, expected) => {
    const before = JSON.stringify(desired);
    expect(JSON.stringify(patched(desired, patch))).toBe(JSON.stringify(expected));
    expect(JSON.stringify(desired)).toBe(before);
  });

  it('names the operation that does not apply', () => {
    const patch = parseJsonPatch(
      bytes([
        { op: 'add', path: '/a', value: 1 },
        { op: 'test', path: '/a/b~1', value: 2 },
      ]),
      'desired',
      limits,
    );
    expect(() => patch.updateOf(null, limits)).toThrow(
      'operation [1], test /desired/a/b~1: there is nothing at this place',
    );
  });

  it('that copies copies ends before it fills the memory', () => {
    const doubling = Array(MAX_OPERATIONS).fill({ op: 'copy', from: '/a', path: '/a/-' });
    expect(patched({ a: ['x'.repeat(100)] }, doubling)).toBe('tooLarge');
    const deepening = Array(MAX_OPERATIONS).fill({ op: 'copy', from: '/a', path: '/a/a' });
    expect(patched({ a: { b: 1 } }, deepening)).toBe('tooDeep');
  });

  it('is stored as the merge patch of what it touched, also where nothing is other than before', () => {
    const current = document(
      { led: 'on', colors: ['red', 'blue'], net: { ssid: 'a', key: 'b' }, left: 1 },
      { led: 'off' },
    );
    const operations = [
      { op: 'replace', path: '/led', value: 'on' },
      { op: 'add', path: '/colors/1', value: 'green' },
      { op: 'remove', path: '/net/key' },
    ];
    const { state } = parseJsonPatch(bytes(operations), 'desired', limits).updateOf(current, limits);
    expect(state).toEqual({ desired: { led: 'on', colors: ['red', 'green', 'blue'], net: { key: null } } });
  });

  it('stamps what it touched, as an update would, and leaves the rest as it stands', () => {
    const reported = new StoredSection({ t: 20.5 }, 100, '{"t":20.50}');
    const current = new StoredDocument(1, new StoredSection({ led: 'on', dim: 3 }, 100), reported);
    const request = parseJsonPatch(bytes([{ op: 'replace', path: '/dim', value: 3 }]), 'desired', limits).updateOf(
      current,
      limits,
    );
    const after = applyUpdate(current, request, { now: 200_000, limits });
    expect(after.metadata.desired).toEqual({ led: { timestamp: 100 }, dim: { timestamp: 200 } });
    expect(after.reportedSection).toBe(reported);
  });

  it('of the whole state moves between its sections, which exist for it', () => {
    const operations = [
      { op: 'test', path: '/reported', value: {} },
      { op: 'copy', from: '/desired/led', path: '/reported/led' },
    ];
    const { state } = parseJsonPatch(bytes(operations), undefined, limits).updateOf(document({ led: 'on' }), limits);
    expect(state).toEqual({ reported: { led: 'on' } });
    const on = (patch: unknown) => () => parseJsonPatch(bytes(patch), undefined, limits).updateOf(null, limits);
    expect(on([{ op: 'remove', path: '/desired' }])().state).toEqual({ desired: null });
    expect(on([{ op: 'add', path: '/other', value: {} }])).toThrow("invalid node: 'other'");
    expect(on([{ op: 'add', path: '/desired', value: 1 }])).toThrow('Desired node must be an object');
    expect(on([{ op: 'remove', path: '' }])).toThrow('State node must be an object');
  });
});
