/** An update that must be refused, whichever door it comes through. */
export interface BadBody {
  readonly what: string;
  readonly body: string | Buffer;
  readonly status: 400 | 409 | 413 | 415;
  readonly message: RegExp;
}

const nested = (levels: number, open: string, inner: string, close: string): string =>
  `{"state":{"desired":{"a":${open.repeat(levels)}${inner}${close.repeat(levels)}}}}`;
const desired = (json: string): string => `{"state":{"desired":${json}}}`;
const members = (count: number): string => `{${Array.from({ length: count }, (_, i) => `"m${i}":${i}`).join(',')}}`;

const INVALID_JSON = /invalid json/i;
const MISSING_STATE = /^Missing required node: state$/;
const TOO_DEEP = /^JSON contains too many levels of nesting; maximum is 8$/;
const TOO_LARGE = /^The payload exceeds the maximum size allowed$/;
const ENCODING = /^Unsupported documented encoding; supported encoding is UTF-8$/;

const row = (what: string, body: string | Buffer, status: BadBody['status'], message: RegExp): BadBody => ({
  what,
  body,
  status,
  message,
});

export const BAD_BODIES: readonly BadBody[] = [
  row('no payload', '', 400, INVALID_JSON),
  row('half a document', '{"state":{"desired":{"a":1}', 400, INVALID_JSON),
  row('two documents', `${desired('{"a":1}')}${desired('{"a":2}')}`, 400, INVALID_JSON),
  row('NaN', desired('{"a":NaN}'), 400, INVALID_JSON),
  row('a NUL byte between tokens', '{"state":\0{"desired":{}}}', 400, INVALID_JSON),
  row('NUL bytes alone', Buffer.alloc(64), 400, INVALID_JSON),
  row('a number', '66', 400, MISSING_STATE),
  row('a list', '[{"state":{}}]', 400, MISSING_STATE),
  row('null', 'null', 400, MISSING_STATE),
  row('state below __proto__', '{"__proto__":{"state":{"desired":{"a":1}}}}', 400, MISSING_STATE),
  row('state as a string', '{"state":"on"}', 400, /^State node must be an object$/),
  row('state as a list', '{"state":[]}', 400, /^State node must be an object$/),
  row('desired as a list', desired('[1]'), 400, /^Desired node must be an object$/),
  row('reported as a number', '{"state":{"reported":1}}', 400, /^Reported node must be an object$/),
  row('delta in state', '{"state":{"delta":{"a":1}}}', 400, /^State contains an invalid node: 'delta'/),
  row(
    '__proto__ in state',
    '{"state":{"__proto__":{"polluted":1}}}',
    400,
    /^State contains an invalid node: '__proto__'/,
  ),
  row(
    'constructor in state',
    '{"state":{"constructor":{"prototype":{"polluted":1}}}}',
    400,
    /^State contains an invalid node: 'constructor'/,
  ),
  row('a version as text', '{"state":{},"version":"1"}', 400, /^Invalid version$/),
  row('half a version', '{"state":{},"version":1.5}', 400, /^Invalid version$/),
  row('a negative version', '{"state":{},"version":-1}', 400, /^Invalid version$/),
  row('an endless version', '{"state":{},"version":1e400}', 400, /^Invalid version$/),
  row('a version of a shadow that is not there', '{"state":{},"version":5}', 409, /^Version conflict$/),
  row('a token of 65 bytes', `{"state":{},"clientToken":"${'t'.repeat(65)}"}`, 400, /^Invalid clientToken$/),
  row(
    'a token of 22 characters, 66 bytes',
    `{"state":{},"clientToken":"${'€'.repeat(22)}"}`,
    400,
    /^Invalid clientToken$/,
  ),
  row('a token that is no text', '{"state":{},"clientToken":{"a":1}}', 400, /^Invalid clientToken$/),
  row('9 levels', nested(8, '{"b":', '1', '}'), 400, TOO_DEEP),
  row('800 levels of objects', nested(800, '{"b":', '1', '}'), 400, TOO_DEEP),
  row('15,000 levels of lists', nested(15_000, '[', '', ']'), 400, TOO_DEEP),
  row('30,000 brackets that never close', '['.repeat(30_000), 400, INVALID_JSON),
  row('60,000 levels of lists', nested(60_000, '[', '', ']'), 413, TOO_LARGE),
  row('100,000 brackets that never close', '['.repeat(100_000), 413, TOO_LARGE),
  row('null in a list', desired('{"a":[1,null]}'), 400, /^Array contains null at desired\.a\[1\]/),
  row('null in an object in a list', desired('{"a":[{"b":null}]}'), 400, /^Array contains null/),
  row('null in a list below __proto__', desired('{"__proto__":{"a":[null]}}'), 400, /^Array contains null/),
  row('a number past the range', desired('{"a":1e400}'), 400, /^Number at desired\.a/),
  row('8,193 bytes of document', desired(`{"a":"${'x'.repeat(8_192)}"}`), 413, TOO_LARGE),
  row('40 KB', desired(`{"a":"${'x'.repeat(40_960)}"}`), 413, TOO_LARGE),
  row('10,000 members', desired(members(10_000)), 413, TOO_LARGE),
  row('200 KB', desired(`{"a":"${'x'.repeat(204_800)}"}`), 413, TOO_LARGE),
  row('UTF-16 with a byte order mark', Buffer.from(`\ufeff${desired('{"a":1}')}`, 'utf16le'), 415, ENCODING),
  row('Latin-1', Buffer.from(desired('{"a":"é"}'), 'latin1'), 415, ENCODING),
  row(
    'a UTF-8 sequence cut short',
    Buffer.from([...Buffer.from('{"state":{"desired":{"a":"'), 0xe2, 0x82]),
    415,
    ENCODING,
  ),
  row('overlong UTF-8', Buffer.from([0x22, 0xc0, 0xaf, 0x22]), 415, ENCODING),
];
