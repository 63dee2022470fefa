import fc from 'fast-check';
import { bytes, deepFreeze, hostileUpdateText, updateText } from '../../test/harness/json-arbitraries.js';
import { applyDelete } from './apply-delete.js';
import { applyUpdate } from './apply-update.js';
import { computeDelta } from './delta.js';
import { DEFAULT_LIMITS } from './limits.js';
import * as messages from './messages.js';
import type { UpdateRequest } from './parse-request.js';
import { parseClientToken, parseUpdate } from './parse-request.js';
import type { ChangeRecord, ShadowDocument } from './shadow-document.js';
import { ServiceError } from '../errors/service-error.js';

/** What holds for every document and every input; the rules one by one are in the tables beside this file. */

const limits = { ...DEFAULT_LIMITS, maxDocumentBytes: 1_000_000 };
const now = 1_700_000_000_000;

const parse = (text: string): UpdateRequest => deepFreeze(parseUpdate(bytes(text), limits));
const apply = (current: ShadowDocument | null, request: UpdateRequest, at = now): ShadowDocument =>
  deepFreeze(applyUpdate(current, request, { now: at, limits }));
const kept = (texts: string[]): ShadowDocument | null =>
  texts.reduce<ShadowDocument | null>((current, text) => apply(current, parse(text)), null);
const change = (request: UpdateRequest): ChangeRecord => ({
  kind: 'update',
  patch: request.state,
  principal: 'p',
  at: now,
});
const sections = (document: ShadowDocument): string => JSON.stringify([document.desired, document.reported]);

const history = fc.array(updateText, { minLength: 1, maxLength: 4 });

/** Everything a polluted prototype could show. */
function prototypes(): unknown[] {
  return [Object, Array, Function, String, Number, Map].map((type) => Reflect.ownKeys(type.prototype as object));
}

describe('every document', () => {
  it('is the same after the same patch again, apart from stamps and version', () => {
    fc.assert(
      fc.property(history, updateText, (texts, text) => {
        const once = apply(kept(texts), parse(text));
        const twice = apply(once, parse(text), now + 5000);
        expect(sections(twice)).toBe(sections(once));
        expect(twice.version).toBe(once.version + 1);
      }),
    );
  });

  it('has no delta once the device reports the delta', () => {
    fc.assert(
      fc.property(history, (texts) => {
        const document = kept(texts)!;
        const delta = computeDelta(document);
        fc.pre(delta !== null);
        const reported = apply(document, { state: { reported: delta!.state } });
        expect(computeDelta(reported)).toBeNull();
        expect(JSON.stringify(reported.desired)).toBe(JSON.stringify(document.desired));
      }),
    );
  });

  it('has a delta if and only if a path of desired is not so in reported', () => {
    fc.assert(
      fc.property(history, (texts) => {
        const document = kept(texts)!;
        // Reporting all of desired leaves nothing to do; so the delta is null exactly when doing so changes no value.
        const told = apply(document, { state: { reported: document.desired ?? {} } });
        expect(computeDelta(told)).toBeNull();
        expect(computeDelta(document) === null).toBe(sameValues(told, document));
      }),
    );
  });

  it('is what accepted echoes, when the echo is sent to another shadow', () => {
    fc.assert(
      fc.property(updateText, (text) => {
        const request = parse(text);
        const document = apply(null, request);
        const echo = messages.updateAccepted(document, change(request));
        const copy = apply(null, parse(JSON.stringify({ state: echo.state })));
        expect(JSON.stringify(messages.getAccepted(copy, now))).toBe(
          JSON.stringify(messages.getAccepted(document, now)),
        );
      }),
    );
  });

  it('survives the store: as JSON and back it is equal and takes the next update equally', () => {
    fc.assert(
      fc.property(history, updateText, (texts, text) => {
        const document = kept(texts)!;
        const stored = deepFreeze(JSON.parse(JSON.stringify(document)) as ShadowDocument);
        expect(JSON.stringify(stored)).toBe(JSON.stringify(document));
        expect(JSON.stringify(apply(stored, parse(text)))).toBe(JSON.stringify(apply(document, parse(text))));
        expect(JSON.stringify(computeDelta(stored))).toBe(JSON.stringify(computeDelta(document)));
      }),
    );
  });

  it('shows no null, and no empty section', () => {
    fc.assert(
      fc.property(history, (texts) => {
        const { desired, reported } = kept(texts)!;
        for (const section of [desired, reported]) {
          expect(section === undefined || Object.keys(section).length > 0).toBe(true);
          expect(hasNull(section)).toBe(false);
        }
      }),
    );
  });
});

describe('no input', () => {
  const whole = (payload: Uint8Array, current: ShadowDocument | null): void => {
    try {
      parseClientToken(payload, limits);
      const request = deepFreeze(parseUpdate(payload, limits));
      const document = apply(current, request);
      messages.updateAccepted(document, change(request));
      messages.deltaMessage(document, change(request));
      messages.documentsMessage(current, document, change(request));
      messages.getAccepted(document, now);
      applyDelete(document, { now, displayName: 't' });
    } catch (error) {
      // A frozen argument that is written to, a stack that overflows: anything else fails the property.
      if (!(error instanceof ServiceError)) throw error;
      messages.rejected(error);
    }
  };

  it.each<[string, fc.Arbitrary<Uint8Array>]>([
    ['hostile JSON', hostileUpdateText.map(bytes)],
    ['any JSON', fc.json({ maxDepth: 12 }).map(bytes)],
    ['an update around any JSON', fc.json().map((text) => bytes(`{"state":{"desired":${text}}}`))],
    ['any bytes', fc.uint8Array({ maxLength: 64 })],
    ['an update with a broken byte', fc.tuple(updateText, fc.nat(), fc.nat(255)).map(broken)],
  ])('throws anything but a ServiceError, changes its arguments or a prototype: %s', (_what, payloads) => {
    const before = prototypes();
    fc.assert(
      fc.property(payloads, fc.array(updateText, { maxLength: 2 }), (payload, texts) => whole(payload, kept(texts))),
    );
    expect(prototypes()).toEqual(before);
  });
});

function broken([text, at, byte]: [string, number, number]): Uint8Array {
  const payload = Uint8Array.from(bytes(text));
  payload[at % payload.length] = byte;
  return payload;
}

/** Equal as data, whatever the order of members or the way a number was written. */
function sameValues(a: ShadowDocument, b: ShadowDocument): boolean {
  return sorted(a.reported ?? {}) === sorted(b.reported ?? {});
}

function sorted(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(sorted).join(',')}]`;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, child]) => `${JSON.stringify(key)}:${sorted(child)}`).join(',')}}`;
}

function hasNull(value: unknown): boolean {
  if (typeof value !== 'object') return false;
  return value === null || Object.values(value).some(hasNull);
}
