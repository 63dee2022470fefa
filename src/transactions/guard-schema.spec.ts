import type { Json, JsonObject } from '../document/shadow-document.js';
import { ServiceError } from '../errors/service-error.js';
import { faultBySchema, parseSchema, sizeOf } from './guard-schema.js';

const fault = (schema: string, value: string): string | null =>
  faultBySchema(parseSchema(JSON.parse(schema) as Json, 's'), JSON.parse(value) as JsonObject);
const refusal = (schema: string): string => {
  try {
    parseSchema(JSON.parse(schema) as Json, 's');
    return 'taken';
  } catch (error) {
    if (!(error instanceof ServiceError) || error.code !== 'invalidRequest') throw error;
    return error.message;
  }
};

describe('a schema that guards a promotion', () => {
  it.each([
    ['{"required":["mode"]}', '{"mode":"day"}'],
    ['{"properties":{"level":{"type":"integer","minimum":0,"maximum":10}}}', '{"level":10}'],
    ['{"additionalProperties":false,"properties":{"a":true}}', '{"a":{}}'],
    [
      '{"properties":{"list":{"prefixItems":[{"type":"string"}],"items":{"type":"number"},"minItems":1}}}',
      '{"list":["a",1]}',
    ],
    ['{"if":{"required":["a"]},"then":{"required":["b"]}}', '{"b":1}'],
    ['{"properties":{"__proto__":{"type":"string"}}}', '{}'],
    ['{"properties":{"toString":{"type":"string"}},"dependentRequired":{"constructor":["x"]}}', '{}'],
  ])('%s lets %s through', (schema, value) => expect(fault(schema, value)).toBeNull());

  it.each([
    ['{"required":["mode"]}', '{}'],
    ['{"required":["toString"]}', '{}'],
    ['{"required":["__proto__"]}', '{}'],
    ['{"properties":{"__proto__":{"type":"string"}}}', '{"__proto__":1}'],
    ['{"properties":{"level":{"type":"integer","maximum":10}}}', '{"level":11}'],
    ['{"additionalProperties":false,"properties":{"a":true}}', '{"a":1,"constructor":1}'],
    ['{"if":{"required":["a"]},"then":{"required":["b"]}}', '{"a":1}'],
    ['{"properties":{"m":{"enum":["day",{"a":[1]}]}}}', '{"m":{"a":[2]}}'],
    ['{"oneOf":[true,{}]}', '{}'],
    ['{"not":{}}', '{}'],
    ['{"propertyNames":{"maxLength":1}}', '{"ab":1}'],
    ['{"properties":{"l":{"contains":{"const":1},"minContains":2}}}', '{"l":[1,2]}'],
  ])('%s stops %s, and says why', (schema, value) => expect(fault(schema, value)).toEqual(expect.stringMatching(/./)));

  it('names the place of the fault', () => {
    expect(fault('{"properties":{"a":{"properties":{"b":{"type":"number"}}}}}', '{"a":{"b":"x"}}')).toBe(
      '/a/b must be number',
    );
  });

  // What is not understood must not be taken for a guard that holds.
  it.each([
    ['{"$ref":"#"}', /^s\.\$ref: this keyword is not supported/],
    ['{"properties":{"a":{"pattern":"(a+)+$"}}}', /^s\.properties\.a\.pattern: /],
    ['{"requird":["a"]}', /^s\.requird: /],
    ['{"constructor":{}}', /^s\.constructor: /],
    ['{"~refine":[]}', /^s\.~refine: /],
    ['{"required":"a"}', /must be a list of names/],
    ['{"properties":[]}', /must be an object of schemas/],
    ['{"minimum":"1"}', /must be a number/],
    ['{"maxLength":-1}', /must be a whole number/],
    ['{"type":"text"}', /must be one of null, boolean/],
    ['{"anyOf":[]}', /must be a list of schemas/],
    [`{"not":{"anyOf":[${'{},'.repeat(5_000)}{}]}}`, /^s\.not\.anyOf: has 5001 schemas; 32 are the most$/],
    [`{"allOf":[${'{},'.repeat(32)}{}]}`, /^s\.allOf: has 33 schemas/],
    [`{"oneOf":[${'{},'.repeat(32)}{}]}`, /^s\.oneOf: has 33 schemas/],
    [`{"anyOf":[${'{},'.repeat(31)}{}],"prefixItems":[${'{},'.repeat(99)}{}]}`, /^taken$/],
    ['{"items":[{}]}', /is an object, true or false/],
    ['{"enum":{}}', /must be a list of values/],
    ['{"dependentRequired":{"a":"b"}}', /must be an object of lists/],
    ['[]', /a schema is an object$/],
    [`{"title":"${'x'.repeat(17_000)}"}`, /at most 16384 bytes/],
    [`${'{"not":'.repeat(33)}{}${'}'.repeat(33)}`, /at most 32 levels/],
  ])('%.40s is refused', (schema, text) => expect(refusal(schema)).toMatch(text));

  it('takes more steps with schemas in it than with values', () => {
    const steps = (schema: string): number => parseSchema(JSON.parse(schema) as Json, 's').steps;
    expect([steps('{"enum":[1,2]}'), steps('{"allOf":[{},true,{"not":{}}],"properties":{"a":{}}}')]).toEqual([12, 56]);
  });

  it('counts the values of a schema and of a document, and long texts for what they take', () => {
    expect([sizeOf(1), sizeOf([1, [2]]), sizeOf({ a: { b: null } })]).toEqual([1, 4, 3]);
    const long = 'x'.repeat(3_200);
    expect([sizeOf(long), sizeOf({ [long]: 1 })]).toEqual([101, 102]);
  });
});
