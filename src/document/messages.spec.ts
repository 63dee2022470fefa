import { deepFreeze } from '../../test/harness/json-arbitraries.js';
import * as messages from './messages.js';
import type { ChangeRecord, ShadowDocument, StatePatch } from './shadow-document.js';
import { ServiceError } from '../errors/service-error.js';

const OLD = { timestamp: 1_600_000_000 };
const document: ShadowDocument = deepFreeze({
  version: 3,
  desired: { a: 1, b: 2 },
  reported: { b: 2 },
  metadata: { desired: { a: OLD, b: OLD }, reported: { b: OLD } },
});
const done: ShadowDocument = deepFreeze({ version: 4, reported: { b: 2 }, metadata: { reported: { b: OLD } } });
const empty: ShadowDocument = deepFreeze({ version: 1, metadata: {} });
const AT = 1_700_000_000;

function change(patch?: StatePatch, clientToken?: string): ChangeRecord {
  return deepFreeze({
    kind: 'update',
    principal: 'p',
    at: AT * 1000 + 999,
    ...(patch !== undefined && { patch }),
    ...(clientToken !== undefined && { clientToken }),
  });
}

/** The text on the wire: members, their order, and no undefined. */
const wire = (message: unknown): string => JSON.stringify(message);

describe('get/accepted', () => {
  it('has the sections, the delta, and no metadata of the delta', () => {
    expect(wire(messages.getAccepted(document, AT * 1000 + 999, 'k'))).toBe(
      '{"state":{"desired":{"a":1,"b":2},"reported":{"b":2},"delta":{"a":1}},' +
        '"metadata":{"desired":{"a":{"timestamp":1600000000},"b":{"timestamp":1600000000}},"reported":{"b":{"timestamp":1600000000}}},' +
        '"version":3,"timestamp":1700000000,"clientToken":"k"}',
    );
  });

  it('leaves out what is empty', () => {
    expect(wire(messages.getAccepted(empty, AT * 1000))).toBe(
      '{"state":{},"metadata":{},"version":1,"timestamp":1700000000}',
    );
    expect(Object.keys(messages.getAccepted(done, AT * 1000).state)).toEqual(['reported']);
  });
});

describe('update/accepted', () => {
  it.each<[StatePatch, string]>([
    [null, '{"state":null,"metadata":{"timestamp":1700000000},"version":3,"timestamp":1700000000}'],
    [{}, '{"state":{},"metadata":{},"version":3,"timestamp":1700000000}'],
    [
      { desired: { a: null, xs: [1] }, reported: {} },
      '{"state":{"desired":{"a":null,"xs":[1]},"reported":{}},"metadata":{"desired":{"a":{"timestamp":1700000000},' +
        '"xs":[{"timestamp":1700000000}]},"reported":{}},"version":3,"timestamp":1700000000}',
    ],
  ])('echoes %j', (patch, text) => {
    expect(wire(messages.updateAccepted(document, change(patch)))).toBe(text);
  });
});

describe('update/delta', () => {
  it('starts at the root of desired, with the stored stamps', () => {
    expect(wire(messages.deltaMessage(document, change({ reported: { z: 1 } }, 'k')))).toBe(
      '{"version":3,"timestamp":1700000000,"state":{"a":1},"metadata":{"a":{"timestamp":1600000000}},"clientToken":"k"}',
    );
  });

  it('is not sent when nothing differs', () => {
    expect(messages.deltaMessage(done, change({}))).toBeNull();
    expect(messages.deltaMessage(empty, change(null))).toBeNull();
  });
});

describe('update/documents', () => {
  it('has both snapshots, without delta and without timestamps of their own', () => {
    expect(wire(messages.documentsMessage(empty, done, change({}, 'k')))).toBe(
      '{"previous":{"state":{},"metadata":{},"version":1},' +
        '"current":{"state":{"reported":{"b":2}},"metadata":{"reported":{"b":{"timestamp":1600000000}}},"version":4},' +
        '"timestamp":1700000000,"clientToken":"k"}',
    );
  });

  it.each([null, { deleted: true, version: 1, deletedAt: 1 } as const])('has previous null after %j', (previous) => {
    expect(wire(messages.documentsMessage(previous, empty, change(null)))).toBe(
      '{"previous":null,"current":{"state":{},"metadata":{},"version":1},"timestamp":1700000000}',
    );
  });
});

describe('the rest', () => {
  it('delete/accepted has the version of the deleted document', () => {
    const tombstone = { deleted: true, version: 3, deletedAt: AT } as const;
    expect(wire(messages.deleteAccepted(tombstone, change(undefined, 'k')))).toBe(
      '{"version":3,"timestamp":1700000000,"clientToken":"k"}',
    );
    expect(wire(messages.deleteAccepted(tombstone, change()))).toBe('{"version":3,"timestamp":1700000000}');
  });

  it('rejected has code, text and token', () => {
    expect(wire(messages.rejected(new ServiceError('notFound', 't')))).toBe(
      '{"code":404,"message":"No shadow exists with name: \'t\'"}',
    );
    expect(wire(messages.rejected(new ServiceError('versionConflict', '', '')))).toBe(
      '{"code":409,"message":"Version conflict","clientToken":""}',
    );
  });
});
