import fc from 'fast-check';
import { anyCharacter } from '../../test/harness/any-character.js';
import { parseTrace, traceparentOf } from './trace-context.js';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';
const PARENT = `00-${TRACE}-${SPAN}-01`;
const parse = (traceparent: string, tracestate = '') => parseTrace({ traceparent, tracestate });
const stateOf = (tracestate: string) => parse(PARENT, tracestate)?.state;

describe('traceparent', () => {
  it.each([
    [PARENT, true],
    [`00-${TRACE}-${SPAN}-00`, false],
    [`00-${TRACE}-${SPAN}-03`, true],
    [`00-${TRACE}-${SPAN}-fe`, false],
    [`cc-${TRACE}-${SPAN}-01-what-comes-later`, true],
    [`cc-${TRACE}-${SPAN}-01`, true],
  ])('%s', (text, sampled) => expect(parse(text)).toEqual({ traceId: TRACE, spanId: SPAN, sampled, state: '' }));

  it.each([
    ['nothing', ''],
    ['more than version 00 has', `${PARENT}-01`],
    ['version ff', `ff-${TRACE}-${SPAN}-01`],
    ['a trace of zeros', `00-${'0'.repeat(32)}-${SPAN}-01`],
    ['a span of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['capitals', `00-${TRACE.toUpperCase()}-${SPAN}-01`],
    ['a short trace', `00-${TRACE.slice(1)}-${SPAN}-01`],
    ['a flag of one digit', `00-${TRACE}-${SPAN}-1`],
    ['other characters', `00-${TRACE}-${SPAN.slice(1)}g-01`],
    ['a space before', ` ${PARENT}`],
    ['a line feed after', `${PARENT}\n`],
    ['later fields without a dash', `cc-${TRACE}-${SPAN}-01what`],
    ['two of them', `${PARENT}, ${PARENT}`],
  ])('is not %s', (_, text) => expect(parse(text)).toBeNull());

  it('is nothing but what the standard describes, whatever comes', () => {
    const part = fc.oneof(
      fc.constantFrom('00', '01', 'ff', '-', TRACE, SPAN, PARENT, '0'.repeat(16), '0'.repeat(32)),
      fc.string({ unit: anyCharacter, maxLength: 4 }),
    );
    const text = fc.array(part, { maxLength: 9 }).map((parts) => parts.join(''));
    const check = (traceparent: string, tracestate: string): boolean => {
      const found = parse(traceparent, tracestate);
      if (found === null) return true;
      const { traceId, spanId, state } = found;
      const again = parse(traceparentOf(traceId, spanId), state);
      return traceparent.slice(3, 52) === `${traceId}-${spanId}` && again?.traceId === traceId && again.state === state;
    };
    fc.assert(fc.property(text, text, check), { numRuns: 2_000 });
  });
});

describe('tracestate', () => {
  it.each([
    ['congo=t61rcWkgMzE', 'congo=t61rcWkgMzE'],
    ['a=1, b=2 ,\tc=3', 'a=1,b=2,c=3'],
    [',a=1,,', 'a=1'],
    ['fw529a3039@dt=FfG9,a=!"#$%&\'()*+-./:;<>?@[\\]^_`{|}~', 'fw529a3039@dt=FfG9,a=!"#$%&\'()*+-./:;<>?@[\\]^_`{|}~'],
    [`a=${'v'.repeat(256)}`, `a=${'v'.repeat(256)}`],
  ])('%j is passed on', (text, passed) => expect(stateOf(text)).toBe(passed));

  it.each([
    ['a key twice', 'a=1,a=2'],
    ['a capital', 'A=1'],
    ['no value', 'a='],
    ['no key', '=1'],
    ['no pair', 'a'],
    ['a value beyond ASCII', 'a=ä'],
    ['a long value', `a=${'v'.repeat(257)}`],
    ['a long key', `${'k'.repeat(257)}=1`],
    ['33 members', Array.from({ length: 33 }, (_, i) => `k${i}=1`).join()],
    ['513 bytes', `a=${'v'.repeat(200)},b=${'v'.repeat(200)},c=${'v'.repeat(105)}`],
  ])('%s is left out', (_, text) => expect(stateOf(text)).toBe(''));
});
