import { applyUpdate } from '../document/apply-update.js';
import { DEFAULT_LIMITS } from '../document/limits.js';
import { isTombstone, type JsonObject, type ShadowState, type StatePatch } from '../document/shadow-document.js';
import type { Changed } from '../store/shadow-store.js';
import { applyOperations } from './apply-operations.js';
import { OperationRefused } from './operation-refused.js';
import { parseTransaction, placesOf } from './parse-transaction.js';
import { SchemaSteps } from './schema-steps.js';
import { placeName } from './transaction-request.js';

const NOW = 1_700_000_000_000;
const context = { now: NOW, limits: DEFAULT_LIMITS, principal: 'app', clientToken: 'k' };
const made = (state: StatePatch): ShadowState => applyUpdate(null, { state }, context);
const desired = (members: JsonObject): ShadowState => made({ desired: members });

/** What operations make of shadows by name; those that are not given do not exist. */
function apply(
  operations: object[],
  before: Record<string, ShadowState> = {},
  steps = new SchemaSteps(),
): Record<string, Changed | null> {
  const request = parseTransaction(Buffer.from(JSON.stringify({ operations })), DEFAULT_LIMITS);
  const places = [...new Map(request.operations.flatMap(placesOf).map((place) => [placeName(place), place])).values()];
  const current = places.map((place) => before[placeName(place)] ?? null);
  const changed = applyOperations(request.operations, places, current, context, steps);
  return Object.fromEntries(places.map((place, i) => [placeName(place), changed[i]!]));
}

const shown = (changed: Changed | null | undefined) => {
  if (!changed) return null;
  const { state, change } = changed;
  return isTombstone(state)
    ? { deleted: state.version }
    : { version: state.version, desired: state.desired, reported: state.reported, patch: change.patch };
};

function refusal(operations: object[], before: Record<string, ShadowState> = {}): OperationRefused {
  try {
    apply(operations, before);
  } catch (error) {
    if (error instanceof OperationRefused) return error;
    throw error;
  }
  throw new Error('not refused');
}

describe('operations of a transaction', () => {
  const update = (thing: string, members: object, more: object = {}) => ({
    ...{ op: 'update', thing, state: { desired: members } },
    ...more,
  });

  it('change a shadow as an update alone would, with the patch as it was sent', () => {
    const { a, b } = apply([update('a', { x: null, y: 1 }), update('b', { z: 1 })], { a: desired({ x: 1 }) });
    expect(shown(a)).toEqual({
      version: 2,
      desired: { y: 1 },
      reported: undefined,
      patch: { desired: { x: null, y: 1 } },
    });
    expect(shown(b)).toMatchObject({ version: 1, desired: { z: 1 } });
    expect(a!.change).toMatchObject({ kind: 'update', principal: 'app', clientToken: 'k', at: NOW });
  });

  it('use up one version and one patch however many of them change a shadow', () => {
    const steps = [update('a', { x: 1, o: { p: 1 } }), update('a', { o: 5 }), update('a', { o: { q: null }, y: 2 })];
    const { a } = apply(steps, { a: desired({ o: { p: 0, r: 0 }, w: 0 }) });
    const after = { w: 0, x: 1, o: {}, y: 2 };
    const patch = { desired: { x: 1, o: { p: null, r: null }, y: 2 } };
    expect(shown(a)).toEqual({ version: 2, desired: after, reported: undefined, patch });
    expect(shown(apply([update('n', { x: 1 }), update('n', { x: null })]).n)).toMatchObject({ version: 1, patch: {} });
  });

  it('replace a section with all that is in it', () => {
    const replace = { op: 'replace', thing: 'a', section: 'desired', value: { x: 1, o: { p: 2 } } };
    const { a } = apply([replace], { a: made({ desired: { o: { q: 1 }, y: 1 }, reported: { r: 1 } }) });
    expect(shown(a)).toEqual({
      ...{ version: 2, desired: { x: 1, o: { p: 2 } }, reported: { r: 1 } },
      patch: { desired: { x: 1, o: { p: 2, q: null }, y: null } },
    });
  });

  it('delete, and leave what they only look at', () => {
    const condition = { thing: 'c', path: '/desired/x', equals: 1 };
    const before = { a: desired({}), b: desired({ x: 1 }), c: desired({ x: 1 }) };
    const changed = apply(
      [
        { op: 'check', thing: 'b', version: 1 },
        { op: 'delete', thing: 'a', conditions: [condition] },
      ],
      before,
    );
    expect([changed.a, changed.b, changed.c].map(shown)).toEqual([{ deleted: 1 }, null, null]);
    expect(changed.a!.change).toEqual({ kind: 'delete', clientToken: 'k', principal: 'app', at: NOW });
  });

  it('promote what is staged, and note in the staged shadow what it has become', () => {
    const before = {
      lamp: made({ desired: { mode: 'day', old: 1 }, reported: { on: true } }),
      'lamp/staging': desired({ mode: 'night' }),
    };
    const promote = {
      op: 'promote',
      thing: 'lamp',
      from: 'staging',
      version: 1,
      fromVersion: 1,
      schema: { required: ['mode'] },
    };
    const changed = apply([promote], before);
    expect(shown(changed.lamp)).toMatchObject({ version: 2, desired: { mode: 'night' }, reported: { on: true } });
    expect(changed.lamp!.change.patch).toEqual({ desired: { mode: 'night', old: null } });
    const promoted = { thing: 'lamp', version: 2, at: '2023-11-14T22:13:20.000Z' };
    expect(shown(changed['lamp/staging'])).toMatchObject({
      version: 2,
      desired: { mode: 'night' },
      reported: { promoted },
    });
    // To a named shadow, and what an earlier operation has staged; then to the classic one again.
    const [first, second] = [
      update('lamp', { mode: 'off' }, { shadow: 'staging' }),
      { op: 'promote', thing: 'lamp', from: 'staging', to: 'live' },
    ];
    const named = apply([first, second], before);
    expect(shown(named['lamp/live'])).toMatchObject({ version: 1, desired: { mode: 'off' } });
    expect(named['lamp/staging']!.state).toMatchObject({
      version: 2,
      reported: { promoted: { shadow: 'live', version: 1 } },
    });
    const again = apply([promote], {
      ...before,
      'lamp/staging': applyUpdate(
        null,
        { state: { desired: { mode: 'x' }, reported: { promoted: { thing: 'lamp', shadow: 'live', version: 7 } } } },
        context,
      ),
    });
    expect(again['lamp/staging']!.state).toMatchObject({ reported: { promoted: { ...promoted } } });
    expect(shown(again['lamp/staging'])!.reported).toEqual({ promoted });
  });

  it.each([
    [
      'a version that is not the stored one',
      update('a', {}, { version: 2 }),
      'versionConflict',
      /^operations\[1\]: Version conflict$/,
    ],
    ['a version of a shadow that is not there', update('none', {}, { version: 1 }), 'versionConflict', /./],
    [
      'another value',
      update('a', {}, { conditions: [{ path: '/desired/x', equals: 2 }] }),
      'preconditionFailed',
      /a has another value at \/desired\/x$/,
    ],
    [
      'a value that is not there',
      update('a', {}, { conditions: [{ path: '/desired/y', equals: 2 }] }),
      'preconditionFailed',
      /./,
    ],
    [
      'a member that is not there',
      update('a', {}, { conditions: [{ path: '/desired/toString', exists: true }] }),
      'preconditionFailed',
      /a has no \/desired\/toString$/,
    ],
    [
      'a member that is there',
      update('a', {}, { conditions: [{ path: '/desired/x', exists: false }] }),
      'preconditionFailed',
      /a has \/desired\/x$/,
    ],
    [
      'a shadow that is there',
      update('a', {}, { conditions: [{ path: '', exists: false }] }),
      'preconditionFailed',
      /a has a document$/,
    ],
    [
      'a shadow that is not there',
      update('a', {}, { conditions: [{ thing: 'none', path: '', exists: true }] }),
      'preconditionFailed',
      /none has no document$/,
    ],
    ['nothing to delete', { op: 'delete', thing: 'none' }, 'notFound', /'none'$/],
    [
      'nothing to promote',
      { op: 'promote', thing: 'a', from: 's' },
      'preconditionFailed',
      /a~s has no desired section to promote$/,
    ],
    ['a version of what is staged', { op: 'promote', thing: 'b', from: 's', fromVersion: 3 }, 'versionConflict', /./],
    [
      'a schema',
      { op: 'promote', thing: 'b', from: 's', schema: { properties: { x: { type: 'string' } } } },
      'preconditionFailed',
      /b~s has a desired section that its schema refuses: \/x must be string$/,
    ],
    ['a document that is too large', update('a', { big: 'x'.repeat(8_200) }), 'tooLarge', /./],
  ])('are refused by %s', (_, operation, code, text) => {
    const before = { a: desired({ x: 1 }), 'b/s': desired({ x: 1 }) };
    const error = refusal([{ op: 'check', thing: 'a' }, operation], before);
    expect([error.code, error.message, error.operation]).toEqual([code, expect.stringMatching(text), 1]);
  });

  it('are refused with the shadow as it was before them', () => {
    const before = { a: desired({ x: 1 }) };
    const failing = update('b', {}, { conditions: [{ thing: 'a', path: '/desired/x', equals: 1 }] });
    const error = refusal([update('a', { x: 2 }), failing], before);
    expect(error.on).toEqual({ thing: 'a', shadow: null, current: before.a });
  });

  it('see what those before them have made, but the versions of before', () => {
    const seen = { conditions: [{ path: '/desired/x', equals: 2 }] };
    const { a } = apply([update('a', { x: 2 }, { version: 1 }), update('a', { y: 3 }, { version: 1, ...seen })], {
      a: desired({ x: 1 }),
    });
    expect(shown(a)).toMatchObject({ version: 2, desired: { x: 2, y: 3 } });
  });

  it('go on from the version of a tombstone', () => {
    const { a } = apply([update('a', { x: 1 }, { version: 5 }), update('a', { y: 1 })], {
      a: { deleted: true, version: 4, deletedAt: 1 },
    });
    expect(shown(a)).toMatchObject({ version: 6, desired: { x: 1, y: 1 }, patch: { desired: { x: 1, y: 1 } } });
  });

  it('end when their schemas would take too long', () => {
    const schema = { prefixItems: Array.from({ length: 60 }, () => true) };
    const promotes = ['a', 'b', 'c'].map((thing) => ({ op: 'promote', thing, from: 's', schema }));
    const staged = desired({ list: Array.from({ length: 400 }, (_, i) => i) });
    expect(refusal(promotes, { 'a/s': staged, 'b/s': staged, 'c/s': staged })).toMatchObject({
      code: 'invalidRequest',
      operation: 2,
    });
    // A run that begins anew has its steps again, but not without end.
    const steps = new SchemaSteps();
    const again = () => apply(promotes.slice(1), { 'b/s': staged, 'c/s': staged }, steps);
    for (let run = 0; run < 4; run++) again();
    expect(again).toThrow(/others changed the shadows/);
  });
});
