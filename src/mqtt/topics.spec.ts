import fc from 'fast-check';
import { anyCharacter } from '../../test/harness/any-character.js';
import { isWithinLimits, parseRequestTopic, shadowTopic } from './topics.js';

const T129 = 'x'.repeat(129);
const S65 = 's'.repeat(65);
const request = (operation: string, thing: string, name: string | null, problem: string | null = null) => ({
  operation,
  thing,
  name,
  problem,
});

describe('parseRequestTopic (PROTOCOL 1.6)', () => {
  it.each([
    ['$aws/things/T/shadow/get', request('get', 'T', null)],
    ['$aws/things/T/shadow/update', request('update', 'T', null)],
    ['$aws/things/T/shadow/delete', request('delete', 'T', null)],
    ['$aws/things/T/shadow/name/S/update', request('update', 'T', 'S')],
    ['$aws/things/T/shadow/name/update/get', request('get', 'T', 'update')],
    ['$aws/things/T/shadow/name/name/delete', request('delete', 'T', 'name')],
    ['$aws/things/shadow/shadow/name/accepted/get', request('get', 'shadow', 'accepted')],
    ['$aws/things/a:b_c-1/shadow/get', request('get', 'a:b_c-1', null)],
    ['$aws/things/T/shadow/name/$x/get', request('get', 'T', '$x')],
    ['$aws/things/__proto__/shadow/name/constructor/get', request('get', '__proto__', 'constructor')],
    ['$aws/things/T x/shadow/get', request('get', 'T x', null, 'invalidThingName')],
    [`$aws/things/${T129}/shadow/get`, request('get', T129, null, 'invalidThingName')],
    [`$aws/things/T/shadow/name/${S65}/update`, request('update', 'T', S65, 'invalidShadowName')],
    ['$aws/things/$T/shadow/name/S/update', request('update', '$T', 'S', 'invalidThingName')],
  ])('%s', (topic, expected) => expect(parseRequestTopic(topic)).toEqual(expected));

  it.each([
    '$aws/things/T/shadow/update/accepted',
    '$aws/things/T/shadow/update/delta',
    '$aws/things/T/shadow/name/S',
    '$aws/things/T/shadow/name/update',
    '$aws/things/T/shadow/name//update',
    '$aws/things/T/shadow/name/S/update/accepted',
    '$aws/things/T/shadow/GET',
    '$AWS/things/T/shadow/get',
    '$aws/Things/T/shadow/get',
    '$aws/things/T/shadow/get/',
    '$aws/things//shadow/get',
    '/$aws/things/T/shadow/get',
    '$aws/things/T/shadow',
    '$aws/things/T/jobs/get',
    'things/T/shadow/get',
    '$aws/things/T\0/shadow/get',
    '',
    `$aws/things/${'x'.repeat(250)}/shadow/get`,
  ])('%j is no request', (topic) => expect(parseRequestTopic(topic)).toBeNull());

  it('reads back every topic that it formats', () => {
    const name = fc.stringMatching(/^[a-zA-Z0-9:_-]{1,64}$/);
    fc.assert(
      fc.property(name, fc.option(name), fc.constantFrom('get', 'update', 'delete'), (thing, shadow, operation) => {
        const topic = `${shadowTopic({ thing, name: shadow })}/${operation}`;
        expect(parseRequestTopic(topic)).toEqual(request(operation, thing, shadow));
      }),
    );
  });

  it('takes any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: anyCharacter }), (topic) => void parseRequestTopic(`$aws/things/${topic}`)),
    );
  });
});

describe('limits', () => {
  it.each([
    ['x'.repeat(256), true],
    ['x'.repeat(257), false],
    ['€'.repeat(85), true],
    ['€'.repeat(86), false],
    ['a\0b', false],
  ])('counts bytes, %#', (topic, expected) => expect(isWithinLimits(topic)).toBe(expected));
});
