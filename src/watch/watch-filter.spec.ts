import fc from 'fast-check';
import { bytes, updateText } from '../../test/harness/json-arbitraries.js';
import { applyUpdate } from '../document/apply-update.js';
import { isObject, own } from '../document/json.js';
import { DEFAULT_LIMITS } from '../document/limits.js';
import { parseUpdate } from '../document/parse-request.js';
import type { ChangeRecord, Json, ShadowDocument, ShadowState, StatePatch } from '../document/shadow-document.js';
import { PRESENCE } from '../store/presence-update.js';
import {
  contentFilter,
  keyFilter,
  presenceFilter,
  stepsOf,
  touches,
  uselessBeside,
  type WatchFilter,
} from './watch-filter.js';

const now = 1_700_000_000_000;
const limits = { ...DEFAULT_LIMITS, maxDocumentBytes: 1_000_000 };
const parse = (text: string): StatePatch => parseUpdate(bytes(text), limits).state;
const apply = (current: ShadowDocument | null, state: StatePatch): ShadowDocument =>
  applyUpdate(current, { state }, { now, limits });
const changeOf = (patch?: StatePatch): ChangeRecord => ({ kind: 'update', patch, principal: 'p', at: now });

describe('a filter by key', () => {
  it.each<[string, WatchFilter, string, string | null, boolean]>([
    ['a name', { things: ['lamp'] }, 'lamp', null, true],
    ['another name', { things: ['lamp'] }, 'lamp-1', null, false],
    ['a beginning', { things: ['lamp-*'] }, 'lamp-1', null, true],
    ['a beginning that is all of a name', { things: ['lamp*'] }, 'lamp', null, true],
    ['another beginning', { things: ['lamp-*'] }, 'door-1', null, false],
    ['one of several', { things: ['door', 'lamp-*'] }, 'lamp-1', 'net', true],
    ['everything', { things: ['*'] }, 'lamp', 'net', true],
    ['a shadow', { shadows: ['net'] }, 'lamp', 'net', true],
    ['the classic shadow beside a named one', { shadows: ['net'] }, 'lamp', null, false],
    ['the classic shadow', { shadows: ['.classic'] }, 'lamp', null, true],
    ['a named shadow beside the classic one', { shadows: ['.classic'] }, 'lamp', 'classic', false],
    ['both', { shadows: ['.classic', 'net'] }, 'lamp', 'net', true],
    ['every named shadow', { shadows: ['*'] }, 'lamp', 'net', true],
    ['the classic shadow beside every named one', { shadows: ['*'] }, 'lamp', null, false],
    ['presence, of which only the thing counts', { things: ['lamp'], shadows: ['net'] }, 'lamp', PRESENCE, true],
    ['presence of another thing', { things: ['lamp'], shadows: ['net'] }, 'door', PRESENCE, false],
    ['a thing with another shadow', { things: ['lamp'], shadows: ['net'] }, 'lamp', 'other', false],
  ])('tells %s', (_what, filter, thing, name, wanted) => {
    expect(keyFilter(filter)?.({ thing, name })).toBe(wanted);
  });

  it('is none where every shadow is wanted', () => {
    expect(keyFilter({ kinds: ['deleted'], delta: true })).toBeNull();
  });
});

describe('a filter by kind', () => {
  it.each<[WatchFilter, ReturnType<typeof presenceFilter>, ReturnType<typeof uselessBeside>]>([
    [{ paths: ['/desired'] }, undefined, null],
    [{ kinds: ['updated', 'deleted'], delta: true }, undefined, null],
    [{ kinds: ['presence'], things: ['lamp'] }, 'alone', null],
    [{ kinds: ['presence'], shadows: ['net'] }, 'alone', 'shadows'],
    [{ kinds: ['presence', 'presence'], delta: true }, 'alone', 'delta'],
    [{ kinds: ['presence', 'updated'], paths: ['/desired'] }, 'too', null],
  ])('%j asks for presence %s', (filter, wanted, useless) => {
    expect(presenceFilter(filter)).toBe(wanted);
    expect(uselessBeside(filter)).toBe(useless);
  });
});

describe('a path', () => {
  it.each<[string, string, string, boolean]>([
    ['what a patch sets', '/desired/led', '{"desired":{"led":1}}', true],
    ['what a patch removes', '/desired/led', '{"desired":{"led":null}}', true],
    ['what a patch sets below it', '/desired/led', '{"desired":{"led":{"color":1}}}', true],
    ['what a patch replaces above it', '/desired/led/color', '{"desired":{"led":1}}', true],
    ['an element of an array, which is replaced as a whole', '/desired/list/0', '{"desired":{"list":[1]}}', true],
    ['a section that a patch empties', '/desired/led', '{"desired":null}', true],
    ['a section', '/reported', '{"reported":{}}', true],
    ['both sections emptied', '/reported/led', 'null', true],
    ['a neighbour', '/desired/led', '{"desired":{"lamp":1}}', false],
    ['a neighbour below', '/desired/led/color', '{"desired":{"led":{"mode":1}}}', false],
    ['the other section', '/desired/led', '{"reported":{"led":1}}', false],
    ['an inherited name', '/desired/toString', '{"desired":{"led":1}}', false],
    ['a name with a slash', '/desired/a~1b', '{"desired":{"a/b":1}}', true],
    ['a name with a tilde', '/desired/a~01', '{"desired":{"a~1":1}}', true],
    ['an empty name', '/desired/', '{"desired":{"":1}}', true],
  ])('tells %s', (_what, path, state, touched) => {
    expect(touches(parse(`{"state":${state}}`), stepsOf(path))).toBe(touched);
  });

  it('is left alone by every patch that does not touch it', () => {
    const step = fc.constantFrom('a', 'b', 'c', '', '0', '__proto__', 'constructor');
    const steps = fc.tuple(fc.constantFrom('desired', 'reported'), fc.array(step, { maxLength: 3 }));
    const at = (document: ShadowDocument, [section, rest]: [string, string[]]): Json | undefined => {
      let value: Json | undefined = document[section as 'desired'];
      for (const each of rest) value = isObject(value) ? own(value, each) : undefined;
      return value;
    };
    let untouched = 0;
    fc.assert(
      fc.property(fc.array(updateText, { minLength: 1, maxLength: 3 }), updateText, steps, (texts, text, path) => {
        const before = texts.map(parse).reduce<ShadowDocument | null>(apply, null)!;
        const patch = parse(text);
        if (touches(patch, [path[0], ...path[1]])) return;
        untouched++;
        expect(JSON.stringify(at(apply(before, patch), path))).toBe(JSON.stringify(at(before, path)));
      }),
      { numRuns: 1000 },
    );
    expect(untouched).toBeGreaterThan(100);
  });
});

describe('a filter by content', () => {
  const lamp = apply(null, { desired: { led: 'on', net: { ssid: 'a' } }, reported: { led: 'on' } });
  const dark = apply(null, { desired: { led: 'on' }, reported: { led: 'on' } });
  const gone: ShadowState = { deleted: true, version: 1, deletedAt: 1 };
  const led: StatePatch = { reported: { led: 'on' } };
  const wants = (filter: WatchFilter, state: ShadowState, patch?: StatePatch, as: 'change' | 'initial' = 'change') =>
    contentFilter(filter)?.({ state, change: changeOf(patch) }, as);

  it.each<[string, boolean | undefined, boolean]>([
    ['an update among updates', wants({ kinds: ['updated'] }, lamp, led), true],
    ['a deletion among updates', wants({ kinds: ['updated'] }, gone), false],
    ['a deletion among deletions', wants({ kinds: ['deleted'] }, gone), true],
    ['a difference', wants({ delta: true }, lamp, led), true],
    ['no difference', wants({ delta: true }, dark, led), false],
    ['a deletion, which leaves no difference', wants({ delta: true }, gone), false],
    ['a deletion by a path, which it touches', wants({ paths: ['/desired/led'] }, gone), true],
    ['one of two paths', wants({ paths: ['/desired', '/reported/led'] }, lamp, led), true],
    ['none of two paths', wants({ paths: ['/desired', '/reported/net'] }, lamp, led), false],
    ['a document that has the path', wants({ paths: ['/desired/net/ssid'] }, lamp, led, 'initial'), true],
    ['a document that does not', wants({ paths: ['/desired/net/key'] }, lamp, led, 'initial'), false],
    ['a document without the section', wants({ paths: ['/reported'] }, apply(null, {}), led, 'initial'), false],
    ['a path and another kind', wants({ kinds: ['deleted'], paths: ['/reported/led'] }, lamp, led), false],
  ])('tells %s', (_what, found, wanted) => expect(found).toBe(wanted));

  it('is none where every change is wanted', () => {
    expect(contentFilter({ things: ['lamp'] })).toBeNull();
  });
});
