import fc from 'fast-check';
import { anyCharacter } from './any-character.js';

/**
 * Hostile JSON as text, so that duplicate members and an own `__proto__` come through as they would from the wire.
 * Few different names, so that patches meet what is stored.
 */
const NAMES = ['a', 'b', 'c', '', '0', 'a.b', '$set', '__proto__', 'constructor', 'toString', 'hasOwnProperty'];
const RESERVED = ['timestamp', 'version', 'state', 'delta', 'deleted', 'length', 'toJSON', 'valueOf'];

const name = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...NAMES, ...RESERVED) },
  { weight: 1, arbitrary: fc.string({ unit: anyCharacter, maxLength: 5 }) },
);

const scalar = fc.oneof(
  fc.constantFrom('true', 'false', '0', '1', '1.0', '1e0', '-1', '""', '"1"', '1.5e300', '12345678901234567890'),
  fc.integer().map(String),
  fc.string({ unit: anyCharacter, maxLength: 6 }).map((text) => JSON.stringify(text)),
);

const members = (value: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc
    .array(fc.tuple(name, value), { maxLength: 4 })
    .map((entries) => `{${entries.map(([key, text]) => `${JSON.stringify(key)}:${text}`).join(',')}}`);

const elements = (value: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.array(value, { maxLength: 3 }).map((texts) => `[${texts.join(',')}]`);

/** At most 6 levels, so that every section keeps to the default depth of 8. */
function nested(levels: number, withNull: boolean): fc.Arbitrary<string> {
  const leaf = withNull
    ? fc.oneof({ weight: 3, arbitrary: scalar }, { weight: 2, arbitrary: fc.constant('null') })
    : scalar;
  if (levels === 0) return leaf;
  return fc.oneof(leaf, members(nested(levels - 1, withNull)), elements(nested(levels - 1, false)));
}

/** Text of an object that can be a section of an update: nulls, but none in arrays. */
export const sectionText = members(nested(5, true));

/** Text of an update that is accepted. */
export const updateText = fc.oneof(
  { weight: 1, arbitrary: fc.constant('{"state":null}') },
  {
    weight: 12,
    arbitrary: fc
      .tuple(fc.option(optionalNull(sectionText)), fc.option(optionalNull(sectionText)))
      .map(([desired, reported]) => {
        const sections = [desired && `"desired":${desired}`, reported && `"reported":${reported}`];
        return `{"state":{${sections.filter(Boolean).join(',')}}}`;
      }),
  },
);

function optionalNull(text: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.oneof({ weight: 6, arbitrary: text }, { weight: 1, arbitrary: fc.constant('null') });
}

const anyValue = nested(4, true);

/** Text of an update with anything anywhere: mostly refused. */
export const hostileUpdateText = fc.oneof(
  anyValue,
  fc
    .array(fc.tuple(fc.constantFrom('state', 'clientToken', 'version', '__proto__', 'toJSON'), anyValue), {
      maxLength: 5,
    })
    .map((parts) => `{${parts.map(([key, text]) => `"${key}":${text}`).join(',')}}`),
  fc
    .tuple(anyValue, anyValue)
    .map(([desired, reported]) => `{"state":{"desired":${desired},"reported":[${reported}]}}`),
  anyValue.map((desired) => `{"state":{"desired":${desired}},"clientToken":"t"}`),
);

export function bytes(text: string): Uint8Array {
  return Buffer.from(text);
}

/** Freezes a value and all in it; in a module a later write then throws. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const key of Reflect.ownKeys(value)) deepFreeze((value as Record<PropertyKey, unknown>)[key]);
  return value;
}
