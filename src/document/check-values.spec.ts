import { checkSection } from './check-values.js';
import type { JsonObject } from './shadow-document.js';
import { ServiceError } from '../errors/service-error.js';

function refusal(text: string, maxDepth = 8): string {
  try {
    checkSection('desired', JSON.parse(text) as JsonObject, maxDepth);
  } catch (error) {
    if (error instanceof ServiceError) return error.message;
    throw error;
  }
  return 'none';
}

const members = (levels: number, leaf: string): string => '{"k":'.repeat(levels) + leaf + '}'.repeat(levels);
const TOO_DEEP = 'JSON contains too many levels of nesting; maximum is 8';

describe('checkSection', () => {
  it.each<[string, string, string]>([
    ['nothing', '{}', 'none'],
    ['8 names', members(8, '1'), 'none'],
    ['8 names to an empty object', members(8, '{}'), 'none'],
    ['8 names to an empty array', members(8, '[]'), 'none'],
    ['8 names to a null', members(8, 'null'), 'none'],
    ['9 names', members(9, '1'), TOO_DEEP],
    ['9 names to a null', members(9, 'null'), TOO_DEEP],
    ['7 names and an element', members(7, '[1]'), 'none'],
    ['8 names and an element', members(8, '[1]'), TOO_DEEP],
    ['7 arrays in a name', `{"a":${'['.repeat(8)}${']'.repeat(8)}}`, 'none'],
    ['8 arrays in a name', `{"a":${'['.repeat(9)}${']'.repeat(9)}}`, TOO_DEEP],
    ['800 names', members(800, '1'), TOO_DEEP],
    ['100000 names', members(100_000, '1'), TOO_DEEP],
    ['100000 arrays', `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, TOO_DEEP],
  ])('levels: %s', (_what, text, message) => {
    expect(refusal(text)).toBe(message);
  });

  it('tells the configured maximum', () => {
    expect(refusal('{"a":{"b":1}}', 1)).toBe('JSON contains too many levels of nesting; maximum is 1');
    expect(refusal('{"a":{"b":1}}', 2)).toBe('none');
  });

  it.each<[string, string]>([
    ['{"a":null,"b":{"c":null}}', 'none'],
    ['{"colors":["RED",null]}', 'Array contains null at desired.colors[1]; remove the element'],
    ['{"a":[[null]]}', 'Array contains null at desired.a[0][0]; remove the element'],
    ['{"a":{"b":[1,{"c":{"d":null}}]}}', 'Array contains null at desired.a.b[1].c.d; remove the element'],
    ['{"a":1e400}', 'Number at desired.a is outside the range of a 64-bit float; send it as a string'],
    ['{"a":[-1e400]}', 'Number at desired.a[0] is outside the range of a 64-bit float; send it as a string'],
    ['{"a":1.7976931348623157e308,"b":5e-324,"c":1e-400}', 'none'],
    ['{"__proto__":{"a":[null]}}', 'Array contains null at desired.__proto__.a[0]; remove the element'],
  ])('%s: %s', (text, message) => {
    expect(refusal(text)).toBe(message);
  });

  it('does not echo a whole payload in its refusal', () => {
    expect(refusal(`{"${'x'.repeat(100_000)}":[null]}`).length).toBeLessThan(250);
  });
});
