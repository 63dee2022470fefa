import fc from 'fast-check';
import { anyCharacter } from '../../test/harness/any-character.js';
import { bytes, deepFreeze, updateText } from '../../test/harness/json-arbitraries.js';
import { referenceUpdate } from '../../test/harness/reference-update.js';
import { applyUpdate } from './apply-update.js';
import { DEFAULT_LIMITS } from './limits.js';
import { changeEvent, changeEventText } from './change-event.js';
import * as texts from './message-texts.js';
import * as messages from './messages.js';
import { parseUpdate, type UpdateRequest } from './parse-request.js';
import type { ChangeRecord, ShadowDocument } from './shadow-document.js';
import { patchTextFor, StoredUpdate, type StoredDocument } from './stored-document.js';
import { ServiceError } from '../errors/service-error.js';

/** What is put together from texts is what JSON.stringify makes of the same thing as objects. */

const limits = { ...DEFAULT_LIMITS, maxDocumentBytes: 1_000_000 };
const NOW = 1_700_000_000_500;
/** Some updates follow in the same second: their stamps are equal. */
const steps = fc.array(fc.tuple(updateText, fc.constantFrom(0, 300, 5_000)), { minLength: 1, maxLength: 5 });
const parse = (text: string): UpdateRequest => deepFreeze(parseUpdate(bytes(text), limits));

interface Played {
  readonly previous: StoredDocument | null;
  readonly document: StoredDocument;
  readonly reference: ShadowDocument;
  readonly before: ShadowDocument | null;
  readonly change: StoredUpdate;
}

/** Plays the updates on both; every second document goes through its plain form, as after a read of an old record. */
function play(updates: readonly [string, number][], clientToken?: string): Played {
  let document: StoredDocument | null = null;
  let reference: ShadowDocument | null = null;
  let played: Played | null = null;
  let at = NOW;
  for (const [i, [text, later]] of updates.entries()) {
    at += later;
    const request = parse(text);
    const base: ShadowDocument | null = document && (i % 2 ? document.toJSON() : document);
    const next: StoredDocument = applyUpdate(deepFreeze(base), request, { now: at, limits });
    const expected: ShadowDocument = referenceUpdate(reference, request.state, at);
    const patchText = patchTextFor(request.state, next);
    const change = new StoredUpdate(request.state, clientToken, 'p', at, patchText);
    played = { previous: document, document: next, before: reference, reference: expected, change };
    document = next;
    reference = expected;
  }
  return played!;
}

const plain = ({ patch, clientToken, principal, at }: ChangeRecord): ChangeRecord => ({
  kind: 'update',
  patch: patch!,
  ...(clientToken !== undefined && { clientToken }),
  principal,
  at,
});

describe('a document with texts', () => {
  it('is what the reference makes of the same updates, member for member in the same order', () => {
    fc.assert(
      fc.property(steps, (updates) => {
        const { document, reference } = play(updates);
        const { version, desired, reported, metadata } = reference;
        expect(JSON.stringify(document)).toBe(JSON.stringify({ version, desired, reported, metadata }));
        expect(document.stateText()).toBe(JSON.stringify({ desired, reported }));
        expect(document.metadataText()).toBe(JSON.stringify(reference.metadata));
      }),
    );
  });

  it('has every message as the object form has it', () => {
    fc.assert(
      fc.property(steps, fc.option(fc.string({ unit: anyCharacter }), { nil: undefined }), (updates, token) => {
        const { document, reference, previous, before, change } = play(updates, token);
        const old = plain(change);
        const delta = messages.deltaMessage(reference, old);
        expect(change.patchText).toBe(JSON.stringify(change.patch));
        expect(texts.updateAcceptedText(document, change)).toBe(
          JSON.stringify(messages.updateAccepted(reference, old)),
        );
        expect(texts.deltaText(document, change)).toBe(delta && JSON.stringify(delta));
        expect(texts.documentsText(previous, document, change)).toBe(
          JSON.stringify(messages.documentsMessage(before, reference, old)),
        );
        const where = { key: { tenant: 'ten', thing: 'T', name: token ?? null }, position: { revision: 7 } };
        expect(changeEventText({ ...where, state: document, change })).toBe(
          JSON.stringify(changeEvent({ ...where, state: reference, change: old })),
        );
        for (const now of [NOW, NOW + 1_000]) {
          expect(texts.getAcceptedText(document, now, token)).toBe(
            JSON.stringify(messages.getAccepted(reference, now, token)),
          );
        }
      }),
    );
  });

  it('has the other messages as the object form has them', () => {
    const tombstone = { deleted: true, version: 3, deletedAt: 5 } as const;
    const change: ChangeRecord = { kind: 'delete', clientToken: '"', principal: 'p', at: NOW };
    expect(texts.deleteAcceptedText(tombstone, change)).toBe(
      JSON.stringify(messages.deleteAccepted(tombstone, change)),
    );
    const event = {
      key: { tenant: 'ten', thing: 'T', name: null },
      state: tombstone,
      change,
      position: { revision: 7 },
    };
    expect(changeEventText(event)).toBe(JSON.stringify(changeEvent(event)));
    expect(texts.documentsText(tombstone, play([['{"state":{}}', 0]]).document, change)).toBe(
      JSON.stringify(messages.documentsMessage(tombstone, { version: 1, metadata: {} }, change)),
    );
    for (const error of [new ServiceError('notFound', 'x"y'), new ServiceError('tooLarge').withToken('€')]) {
      expect(texts.rejectedText(error)).toBe(JSON.stringify(messages.rejected(error)));
    }
  });

  it('counts the same bytes as the whole text', () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: -2, max: 2 }), (updates, off) => {
        const { document, change } = play(updates);
        const size = Buffer.byteLength(document.stateText());
        const again = (): StoredDocument =>
          applyUpdate(document, { state: {} }, { now: change.at, limits: { ...limits, maxDocumentBytes: size + off } });
        if (off < 0) expect(again).toThrow(ServiceError);
        else expect(again().version).toBe(document.version + 1);
      }),
    );
  });
});

describe('a section that the patch sets whole', () => {
  const after = (first: string, second: string): StoredDocument =>
    play([
      [`{"state":{"reported":${first}}}`, 0],
      [`{"state":{"reported":${second}}}`, 5_000],
    ]).document;

  it.each<[string, string, string, boolean]>([
    ['sets all members again', '{"a":1,"b":[1]}', '{"a":2,"b":[{"x":1}]}', true],
    ['adds a member behind them', '{"a":1}', '{"a":2,"b":3}', true],
    ['sets them in another order', '{"a":1,"b":2}', '{"b":2,"a":1}', false],
    ['leaves one out', '{"a":1,"b":2}', '{"a":2}', false],
    ['adds one before them', '{"a":1}', '{"b":2,"a":1}', false],
    ['removes one', '{"a":1,"b":2}', '{"a":1,"b":null}', false],
    ['has an object', '{"a":{"b":1}}', '{"a":{"c":1}}', false],
  ])('%s', (_what, first, second, whole) => {
    const { reportedSection } = after(first, second);
    expect(JSON.stringify(reportedSection!.members) === JSON.stringify(JSON.parse(second))).toBe(whole);
    if (whole) expect(reportedSection!.stamps).toBe(Math.floor((NOW + 5_000) / 1000));
  });
});
