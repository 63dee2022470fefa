import { DEFAULT_LIMITS, largestRequest } from './limits.js';
import { parseClientToken, parseUpdate } from './parse-request.js';
import { ServiceError } from '../errors/service-error.js';

const update = (text: string) => parseUpdate(Buffer.from(text), DEFAULT_LIMITS);
const token = (text: string) => parseClientToken(Buffer.from(text), DEFAULT_LIMITS);

function refusal(work: () => unknown): [string, string | undefined] {
  try {
    work();
  } catch (error) {
    if (error instanceof ServiceError) return [error.code, error.clientToken];
    throw error;
  }
  return ['none', undefined];
}

const OK = '"state":{"reported":{"a":1}}';
const LONG = 't'.repeat(65);

describe('parseUpdate', () => {
  it.each<[string, object]>([
    [`{${OK}}`, { state: { reported: { a: 1 } } }],
    ['{"state":null}', { state: null }],
    ['{"state":{}}', { state: {} }],
    ['{"state":{"desired":null,"reported":{}}}', { state: { desired: null, reported: {} } }],
    [`{${OK},"clientToken":"","version":0}`, { state: { reported: { a: 1 } }, clientToken: '', version: 0 }],
    [`{${OK},"clientToken":null,"version":null}`, { state: { reported: { a: 1 } } }],
    [`{${OK},"version":1.0}`, { state: { reported: { a: 1 } }, version: 1 }],
    [`{${OK},"version":1e0}`, { state: { reported: { a: 1 } }, version: 1 }],
    [`{${OK},"version":9007199254740991}`, { state: { reported: { a: 1 } }, version: Number.MAX_SAFE_INTEGER }],
    [`{${OK},"metadata":[null],"timestamp":"x","thingName":1e400}`, { state: { reported: { a: 1 } } }],
    [`{"state":5,${OK}}`, { state: { reported: { a: 1 } } }],
    [`{${OK},"clientToken":"${'é'.repeat(32)}"}`, { state: { reported: { a: 1 } }, clientToken: 'é'.repeat(32) }],
  ])('%s', (text, request) => {
    const parsed = update(text);
    expect(parsed).toEqual(request);
    expect(Object.keys(parsed).sort()).toEqual(Object.keys(request).sort());
  });

  it('does not look into members that it ignores, however deep', () => {
    const deep = '['.repeat(10_000) + ']'.repeat(10_000);
    expect(update(`{"other":${deep},${OK}}`).state).toEqual({ reported: { a: 1 } });
  });

  it.each<[string, string, string | undefined]>([
    ['', 'invalidJson', undefined],
    ['null', 'missingState', undefined],
    ['66', 'missingState', undefined],
    ['"x"', 'missingState', undefined],
    ['[]', 'missingState', undefined],
    ['{"__proto__":{"state":{}}}', 'missingState', undefined],
    ['{"clientToken":"k"}', 'missingState', 'k'],
    [`{"clientToken":"${LONG}"}`, 'missingState', undefined],
    [`{${OK},"clientToken":"${LONG}"}`, 'invalidClientToken', undefined],
    [`{${OK},"clientToken":"${'é'.repeat(33)}"}`, 'invalidClientToken', undefined],
    [`{${OK},"clientToken":5}`, 'invalidClientToken', undefined],
    [`{${OK},"clientToken":{}}`, 'invalidClientToken', undefined],
    ['{"state":5,"clientToken":5}', 'invalidClientToken', undefined],
    ['{"state":[],"clientToken":"k"}', 'stateNotObject', 'k'],
    ['{"state":"on"}', 'stateNotObject', undefined],
    ['{"state":false}', 'stateNotObject', undefined],
    ['{"state":{"delta":{}},"clientToken":"k","version":-1}', 'invalidStateNode', 'k'],
    ['{"state":{"__proto__":{}}}', 'invalidStateNode', undefined],
    ['{"state":{"desired":[1]}}', 'desiredNotObject', undefined],
    ['{"state":{"reported":0}}', 'reportedNotObject', undefined],
    [`{${OK},"version":"1","clientToken":"k"}`, 'invalidVersion', 'k'],
    [`{${OK},"version":1.5}`, 'invalidVersion', undefined],
    [`{${OK},"version":-1}`, 'invalidVersion', undefined],
    [`{${OK},"version":true}`, 'invalidVersion', undefined],
    [`{${OK},"version":[1]}`, 'invalidVersion', undefined],
    [`{${OK},"version":9007199254740992}`, 'invalidVersion', undefined],
    [`{${OK},"version":1e400}`, 'invalidVersion', undefined],
    ['{"state":{"desired":{"a":[null]}},"version":"x"}', 'invalidVersion', undefined],
    ['{"state":{"desired":{"a":[null]}},"clientToken":"k"}', 'nullInArray', 'k'],
    ['{"state":{"reported":{"a":1e400}},"clientToken":"k"}', 'numberTooLarge', 'k'],
    [`{"state":{"desired":${'{"a":'.repeat(800)}1${'}'.repeat(800)}},"clientToken":"k"}`, 'tooDeep', 'k'],
  ])('%s: %s, token %s', (text, code, clientToken) => {
    expect(refusal(() => update(text))).toEqual([code, clientToken]);
  });

  it('names the invalid node, cut to a length that fits an answer', () => {
    expect(() => update('{"state":{"foo":1}}')).toThrow("State contains an invalid node: 'foo'");
    try {
      update(`{"state":{"${'x'.repeat(10_000)}":1}}`);
      throw new Error('was accepted');
    } catch (error) {
      expect((error as Error).message).toMatch(/^State contains an invalid node: 'x{100}…'$/);
    }
  });
});

describe('the size of a request', () => {
  const nulls = (bytes: number) => {
    const empty = '{"clientToken":"k","state":{"desired":{"":null}}}';
    return empty.replace('""', `"${'x'.repeat(bytes - empty.length)}"`);
  };

  it('takes what leaves nothing in the document up to the limit', () => {
    expect(update(nulls(DEFAULT_LIMITS.maxRequestBytes)).clientToken).toBe('k');
  });

  it('refuses one byte more, with the token, although the merged document would be small', () => {
    expect(refusal(() => update(nulls(DEFAULT_LIMITS.maxRequestBytes + 1)))).toEqual(['tooLarge', 'k']);
  });
});

describe('a payload above the largest that is parsed', () => {
  const brackets = '['.repeat(largestRequest(DEFAULT_LIMITS) + 1);

  it('is too large, whatever it is', () => {
    expect(refusal(() => update(brackets))).toEqual(['tooLarge', undefined]);
    expect(refusal(() => update(brackets.slice(1)))).toEqual(['invalidJson', undefined]);
  });

  it('has no token', () => {
    expect(parseClientToken(Buffer.from(brackets), DEFAULT_LIMITS)).toBeUndefined();
  });
});

describe('parseClientToken', () => {
  it.each<[string, string | undefined]>([
    ['', undefined],
    ['{}', undefined],
    ['hello', undefined],
    ['[]', undefined],
    ['"k"', undefined],
    ['null', undefined],
    ['{"clientToken":null}', undefined],
    ['{"__proto__":{"clientToken":"k"}}', undefined],
    ['{"clientToken":"k","version":"nonsense","state":5}', 'k'],
    ['{"clientToken":""}', ''],
    [`{"clientToken":"${'t'.repeat(64)}"}`, 't'.repeat(64)],
  ])('%s: %s', (text, expected) => {
    expect(token(text)).toBe(expected);
  });

  it('takes bytes that are not text for no token', () => {
    expect(parseClientToken(Uint8Array.of(0xff, 0xfe), DEFAULT_LIMITS)).toBeUndefined();
  });

  it.each([`{"clientToken":"${LONG}"}`, '{"clientToken":5}', '{"clientToken":["k"]}'])('refuses %s', (text) => {
    expect(refusal(() => token(text))).toEqual(['invalidClientToken', undefined]);
  });
});
