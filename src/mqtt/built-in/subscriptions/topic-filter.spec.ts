import { canMatchPresenceTopic, canMatchShadowTopic, deltaCover, filterMatches } from './topic-filter.js';

describe('filters', () => {
  it.each([
    '$aws/things/T/shadow/get/accepted',
    '$aws/things/T/shadow/get/+',
    '$aws/things/T/shadow/delete/+',
    '$aws/things/T/shadow/update/#',
    '$aws/things/T/shadow/#',
    '$aws/things/T/#',
    '$aws/things/+/shadow/update',
    '$aws/things/+/shadow/update/documents',
    '$aws/things/+/shadow/name/+/update/delta',
    '$aws/things/T/shadow/name/update/update/accepted',
    '$aws/things/T/shadow/+/+/get/accepted',
    '$aws/things/T x/shadow/get/rejected',
    '$aws/#',
  ])('%s can match', (filter) => expect(canMatchShadowTopic(filter)).toBe(true));

  it.each([
    '#',
    '+/things/T/shadow/get',
    '$SYS/#',
    '$share/g/$aws/things/T/shadow/update',
    '$aws',
    '$aws/jobs/#',
    '$aws/things/T/jobs/#',
    '$aws/things/T/shadow/update/acceptedX',
    '$aws/things//shadow/get',
    '$aws/things/T/shadow/name/S/update/delta/x',
    'plain/topic',
    '__proto__',
    `$aws/things/${'x'.repeat(260)}/shadow/#`,
  ])('%s cannot', (filter) => expect(canMatchShadowTopic(filter)).toBe(false));

  it.each([
    ['$aws/events/presence/connected/+', true],
    ['$aws/events/presence/+/lamp', true],
    ['$aws/events/presence/disconnected/a/b', true],
    ['$aws/events/presence/#', true],
    ['$aws/events/#', true],
    ['$aws/#', true],
    ['$aws/+/+/connected/#', true],
    ['$aws/events/presence/connected', false],
    ['$aws/events/presence/connected/', false],
    ['$aws/events/presence/lost/lamp', false],
    ['$aws/events/presence', false],
    ['$aws/things/+/shadow/#', false],
    ['+/events/presence/connected/+', false],
    ['#', false],
    [`$aws/events/presence/connected/${'x'.repeat(260)}`, false],
  ])('%s can match a topic of presence: %p', (filter, can) => expect(canMatchPresenceTopic(filter)).toBe(can));

  it.each([
    ['$aws/things/T/shadow/#', '$aws/things/T/shadow', true],
    ['$aws/things/T/shadow/#', '$aws/things/T/shadow/name/S/get', true],
    ['$aws/things/+/shadow/get', '$aws/things/T/shadow/get', true],
    ['$aws/things/+/shadow/get', '$aws/things/T/shadow/get/accepted', false],
    ['#', '$aws/things/T/shadow/get', false],
    ['+/things/T/shadow/get', '$aws/things/T/shadow/get', false],
  ])('%s and %s', (filter, topic, expected) => expect(filterMatches(filter, topic)).toBe(expected));
});

describe('deltaCover', () => {
  const classic = { thing: 'T', classic: true, named: null };
  it.each([
    ['$aws/things/T/shadow/update/delta', classic],
    ['$aws/things/T/shadow/update/#', classic],
    ['$aws/things/T/shadow/update/+', classic],
    ['$aws/things/T/shadow/+/delta', classic],
    ['$aws/things/T/shadow/#', { thing: 'T', classic: true, named: 'all' }],
    ['$aws/things/T/#', { thing: 'T', classic: true, named: 'all' }],
    ['$aws/things/T/shadow/name/#', { thing: 'T', classic: false, named: 'all' }],
    ['$aws/things/T/shadow/name/+/update/delta', { thing: 'T', classic: false, named: 'all' }],
    ['$aws/things/T/shadow/name/S/update/delta', { thing: 'T', classic: false, named: 'S' }],
    ['$aws/things/T/shadow/name/update/#', { thing: 'T', classic: false, named: 'update' }],
    ['$aws/things/T/shadow/name/S/+/+', { thing: 'T', classic: false, named: 'S' }],
    ['$aws/things/T/shadow/update/accepted', null],
    ['$aws/things/T/shadow/get/+', null],
    ['$aws/things/+/shadow/update/delta', null],
    ['$aws/things/#', null],
    ['$aws/#', null],
  ])('%s', (filter, expected) => expect(deltaCover(filter)).toEqual(expected));
});
