import { deepFreeze } from '../../test/harness/json-arbitraries.js';
import { applyUpdate, documentBytes, storedVersion } from './apply-update.js';
import { DEFAULT_LIMITS } from './limits.js';
import { parseUpdate } from './parse-request.js';
import type { ShadowDocument, ShadowState } from './shadow-document.js';
import { StoredDocument } from './stored-document.js';
import { ServiceError } from '../errors/service-error.js';

const T0 = 1_700_000_000;
const limits = DEFAULT_LIMITS;

function apply(current: ShadowState | null, text: string, seconds = T0): ShadowDocument {
  const context = { now: seconds * 1000, limits };
  return applyUpdate(deepFreeze(current), deepFreeze(parseUpdate(Buffer.from(text), limits)), context).toJSON();
}

function code(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof ServiceError) return error.code;
    throw error;
  }
  return 'none';
}

const AT = { timestamp: T0 };
const FULL: ShadowDocument = apply(null, '{"state":{"desired":{"a":1},"reported":{"b":{"c":2}}}}');
const tombstone = { deleted: true, version: 5, deletedAt: T0 } as const;

describe('applyUpdate', () => {
  it('creates version 1 and stamps it', () => {
    expect(FULL).toEqual({
      version: 1,
      desired: { a: 1 },
      reported: { b: { c: 2 } },
      metadata: { desired: { a: AT }, reported: { b: { c: AT } } },
    });
  });

  it.each<[string, string, object]>([
    ['state null empties both', '{"state":null}', { version: 2, metadata: {} }],
    ['state {} changes nothing', '{"state":{}}', { ...FULL, version: 2 }],
    ['empty sections change nothing', '{"state":{"desired":{},"reported":{}}}', { ...FULL, version: 2 }],
    [
      'a null section goes, the other merges',
      '{"state":{"desired":null,"reported":{"d":1}}}',
      {
        version: 2,
        reported: { b: { c: 2 }, d: 1 },
        metadata: { reported: { b: { c: AT }, d: { timestamp: T0 + 9 } } },
      },
    ],
    [
      'a section that empties goes with its metadata',
      '{"state":{"desired":{"a":null}}}',
      { version: 2, reported: FULL.reported, metadata: { reported: FULL.metadata.reported } },
    ],
    [
      'a nested object that empties stays',
      '{"state":{"reported":{"b":{"c":null}}}}',
      { version: 2, desired: { a: 1 }, reported: { b: {} }, metadata: { desired: { a: AT }, reported: { b: {} } } },
    ],
  ])('%s', (_what, text, document) => {
    const next = apply(FULL, text, T0 + 9);
    expect(next).toEqual(document);
    expect(Object.keys(next).sort()).toEqual(Object.keys(document).sort());
  });

  it.each([
    '{"state":null}',
    '{"state":{}}',
    '{"state":{"desired":{}}}',
    '{"state":{"desired":null,"reported":{"a":null}}}',
  ])('%s creates an empty shadow', (text) => {
    const document = apply(null, text);
    expect(document).toEqual({ version: 1, metadata: {} });
    expect(Object.keys(document).sort()).toEqual(['metadata', 'version']);
  });

  it('shares sections that the request does not name', () => {
    const before = StoredDocument.of(FULL);
    const next = applyUpdate(before, { state: { desired: { x: 1 } } }, { now: T0 * 1000, limits });
    expect(next.reportedSection).toBe(before.reportedSection);
  });
});

describe('the version of an update', () => {
  const soon = T0 + 48 * 3600 - 1;
  const late = T0 + 50 * 3600;

  it.each<[string, ShadowState | null, number, string, number | string]>([
    ['matches', FULL, T0, ',"version":1', 2],
    ['is old', { ...FULL, version: 2 }, T0, ',"version":1', 'versionConflict'],
    ['is ahead', FULL, T0, ',"version":2', 'versionConflict'],
    ['is 0 for a document', FULL, T0, ',"version":0', 'versionConflict'],
    ['is given for nothing', null, T0, ',"version":1', 'versionConflict'],
    ['is 0 for nothing', null, T0, ',"version":0', 'versionConflict'],
    ['goes on after a delete', tombstone, soon, '', 7],
    ['is that of the deleted document', tombstone, soon, ',"version":5', 'versionConflict'],
    ['is that which the delete used up', tombstone, soon, ',"version":6', 7],
    ['goes on while the tombstone is there, whatever the clock says', tombstone, late, '', 7],
    ['is that which the delete used up, whatever the clock says', tombstone, late, ',"version":6', 7],
    ['goes on when the clock went back', tombstone, T0 - 100, '', 7],
  ])('%s', (_what, current, seconds, member, expected) => {
    const work = () => apply(current, `{"state":{"reported":{"z":1}}${member}}`, seconds).version;
    expect(typeof expected === 'number' ? work() : code(work)).toBe(expected);
  });

  it('forgets the deleted state', () => {
    expect(apply(tombstone, '{"state":{"desired":{"a":1}}}')).toEqual({
      version: 7,
      desired: { a: 1 },
      metadata: { desired: { a: AT } },
    });
  });

  it('is told by storedVersion', () => {
    expect(storedVersion(null)).toBeNull();
    expect(storedVersion(FULL)).toBe(1);
    expect(storedVersion(tombstone)).toBe(6);
  });
});

describe('the size of a document', () => {
  // {"reported":{"a":"…"}} has 21 bytes around the text.
  const filled = (bytes: number) => `{"state":{"reported":{"a":"${'x'.repeat(bytes - 21)}"}}}`;

  it('is that of the compact state, in bytes', () => {
    expect(documentBytes(FULL)).toBe('{"desired":{"a":1},"reported":{"b":{"c":2}}}'.length);
    expect(documentBytes(apply(null, '{"state":{ "desired" : {"a":"€"} }}'))).toBe(23);
    expect(documentBytes(apply(null, '{"state":null}'))).toBe(2);
  });

  it('may reach the limit and not pass it', () => {
    expect(documentBytes(apply(null, filled(8192)))).toBe(8192);
    expect(code(() => apply(null, filled(8193)))).toBe('tooLarge');
  });

  it('is that of the merged document, both sections', () => {
    const half = apply(null, filled(5000));
    expect(code(() => apply(half, filled(5000).replace('reported', 'desired')))).toBe('tooLarge');
    expect(apply(half, filled(8192)).version).toBe(2);
    expect(apply(half, `{"state":{"reported":{"a":null},"desired":{"b":"${'x'.repeat(8000)}"}}}`).version).toBe(2);
  });
});
