import { pointerParts, valueAt } from './json-pointer.js';
import type { Json } from './shadow-document.js';

describe('a JSON Pointer', () => {
  // RFC 6901 section 5, with the members that JavaScript is asked for at its own peril.
  const root = JSON.parse(
    '{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"k\\"l":6," ":7,"m~n":8,"~1":9,"__proto__":10,"o":{"0":11}}',
  ) as Json;
  it.each([
    ['', root],
    ['/foo', ['bar', 'baz']],
    ['/foo/0', 'bar'],
    ['/', 0],
    ['/a~1b', 1],
    ['/c%d', 2],
    ['/e^f', 3],
    ['/k"l', 6],
    ['/ ', 7],
    ['/m~0n', 8],
    ['/~01', 9],
    ['/__proto__', 10],
    ['/o/0', 11],
    ['/foo/2', undefined],
    ['/foo/-', undefined],
    ['/foo/00', undefined],
    ['/foo/length', undefined],
    ['/foo/0/length', undefined],
    ['/toString', undefined],
    ['/constructor/name', undefined],
  ])('%p leads to its value', (pointer, value) => {
    expect(valueAt(root, pointerParts(pointer)!)).toEqual(value);
  });

  it.each(['foo', '#/foo', '/a~', '/a~2b', ' /foo'])('is not %p', (text) => {
    expect(pointerParts(text)).toBeNull();
  });
});
