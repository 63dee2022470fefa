import fc from 'fast-check';
import type { ShadowDocument } from '../document/shadow-document.js';
import { ServiceError } from '../errors/service-error.js';
import { entityTag, evaluate, parseConditions, preconditionOf } from './conditions.js';

const at = (version: number): ShadowDocument => ({ version, metadata: {} });
const tombstone = { deleted: true, version: 3, deletedAt: 0 } as const;

describe('conditions of a request', () => {
  it.each([
    [{}, at(3), 'pass'],
    [{ 'if-match': '"3"' }, at(3), 'pass'],
    [{ 'if-match': '"3"' }, null, 'match'],
    [{ 'if-match': '"3"' }, tombstone, 'match'],
    [{ 'if-match': '*' }, tombstone, 'match'],
    [{ 'if-none-match': '*' }, tombstone, 'pass'],
    [{ 'if-none-match': ' * ' }, at(3), 'none-match'],
    [{ 'if-match': '"2" ,"3"' }, at(3), 'pass'],
    [{ 'if-match': '"03"' }, at(3), 'match'],
    [{ 'if-match': '"2"', 'if-none-match': '"3"' }, at(3), 'match'],
    [{ 'if-match': '"3"', 'if-none-match': '"3"' }, at(3), 'none-match'],
  ] as const)('%j on %j: %s', (headers, state, outcome) => {
    expect(evaluate(parseConditions(headers), state)).toBe(outcome);
  });

  it('are none when there is no header', () => expect(preconditionOf(parseConditions({}))).toBeUndefined());

  it('say what the shadow is at', () => {
    const check = preconditionOf(parseConditions({ 'if-match': '"3"' }));
    expect(() => check?.(at(4))).toThrow('A condition of the request does not hold: the shadow is at version 4');
    expect(() => check?.(null)).toThrow('the shadow does not exist');
    expect(() => check?.(at(3))).not.toThrow();
  });

  it('take back every tag that was given out', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1 }), fc.integer({ min: 1 }), (version, other) => {
        const conditions = parseConditions({ 'if-match': entityTag(version) });
        expect(evaluate(conditions, at(other))).toBe(version === other ? 'pass' : 'match');
      }),
    );
  });

  it('reject every other header with a clear error, and never fail otherwise', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[W/"*, 0-9]*$/)), (text) => {
        try {
          parseConditions({ 'if-none-match': text });
        } catch (error) {
          expect(error).toBeInstanceOf(ServiceError);
          expect((error as ServiceError).message).toMatch(/^If-None-Match must be/);
        }
      }),
    );
    const many = Array.from({ length: 33 }, () => '"1"').join();
    expect(() => parseConditions({ 'if-match': many })).toThrow(/at most 32/);
  });
});
