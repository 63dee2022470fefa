import { parseCondition } from './condition.js';
import type { PolicyContext } from './context-keys.js';

const ID = 'iot:ClientId';
const IP = 'aws:SourceIp';
const NOW = 'aws:CurrentTime';
const FEATURES = 'iot:ConnectAttributes';
const COMMON = 'iot:Certificate.Subject.CommonName';
const TYPE = 'iot:Connection.Thing.ThingTypeName';
const WILL = 'iot:LastWillTopic';

const context = (values: Record<string, string | string[]>, now?: number): PolicyContext => ({
  caller: values,
  request: values,
  now,
});
const holds = (operator: string, key: string, values: string | string[], asked: PolicyContext): boolean =>
  parseCondition('', operator, key, [values].flat()).holds(asked, 'nothing');

type Row = [operator: string, key: string, values: string | string[], asked: string | string[] | null, holds: boolean];

describe('a condition', () => {
  const rows: Row[] = [
    ['StringEquals', ID, 'lamp', 'lamp', true],
    ['StringEquals', ID, 'lamp', 'Lamp', false],
    ['StringEquals', ID, ['pump', 'lamp'], 'lamp', true],
    ['StringEquals', ID, 'l*', 'lamp', false],
    ['StringEquals', ID, 'l*', 'l*', true],
    ['StringEquals', ID, [], 'lamp', false],
    ['StringEquals', ID, 'lamp', null, false],
    ['StringEqualsIfExists', ID, 'lamp', null, true],
    ['StringEqualsIfExists', ID, 'lamp', 'pump', false],
    ['StringNotEquals', ID, ['pump', 'lamp'], 'lamp', false],
    ['StringNotEquals', ID, ['pump', 'lamp'], 'fan', true],
    ['StringNotEquals', ID, 'lamp', null, true],
    ['StringEqualsIgnoreCase', ID, 'LAMP', 'lamp', true],
    ['StringNotEqualsIgnoreCase', ID, 'LAMP', 'lamp', false],
    ['StringLike', ID, 'l?m*', 'lamp', true],
    ['StringLike', ID, 'l?m', 'lamp', false],
    ['StringNotLike', ID, ['l*', 'x'], 'lamp', false],
    ['StringNotLike', ID, 'p*', 'lamp', true],
    ['Bool', 'iot:Connection.Thing.IsAttached', 'true', 'true', true],
    ['Bool', 'iot:Connection.Thing.IsAttached', 'false', 'true', false],
    ['Bool', 'iot:Connection.Thing.IsAttached', 'false', null, false],
    ['Null', ID, 'true', null, true],
    ['Null', ID, 'true', 'lamp', false],
    ['Null', ID, 'false', 'lamp', true],
    ['Null', ID, 'false', null, false],
    ['Null', FEATURES, 'true', [], true],
    ['IpAddress', IP, '192.0.2.0/24', '192.0.2.77', true],
    ['IpAddress', IP, '192.0.2.0/24', '192.0.3.0', false],
    ['IpAddress', IP, '192.0.2.0/24', '::ffff:192.0.2.77', true],
    ['IpAddress', IP, '::/0', '::ffff:192.0.2.77', false],
    ['IpAddress', IP, '192.0.2.7', '192.0.2.7', true],
    ['IpAddress', IP, '0.0.0.0/0', '2001:db8::1', false],
    ['IpAddress', IP, '2001:db8::/32', '2001:db8:1::1', true],
    ['IpAddress', IP, 'fe80::/10', 'fe80::1%eth0', true],
    ['IpAddress', IP, ['10.0.0.0/8', '192.0.2.0/24'], '192.0.2.77', true],
    ['IpAddress', IP, '0.0.0.0/0', 'nonsense', false],
    ['NotIpAddress', IP, '192.0.2.0/24', '192.0.2.77', false],
    ['NotIpAddress', IP, '192.0.2.0/24', '198.51.100.1', true],
    ['NotIpAddress', IP, '192.0.2.0/24', null, true],
    ['ArnEquals', WILL, 'arn:aws:iot:*:*:topic/a/*', 'topic/a/b', true],
    ['ArnLike', WILL, 'arn:aws:iot:*:*:topic/a/?', 'topic/a/bc', false],
    ['ArnNotLike', WILL, 'arn:aws:iot:*:*:topic/a/*', 'topic/a/b', false],
    ['ArnNotEquals', WILL, 'arn:aws:iot:*:*:topic/a/*', null, true],
    ['NumericEquals', TYPE, '7', '7.0', true],
    ['NumericNotEquals', TYPE, '7', '8', true],
    ['NumericLessThan', TYPE, '7', '6.5', true],
    ['NumericLessThan', TYPE, '7', '7', false],
    ['NumericLessThanEquals', TYPE, '7', '7', true],
    ['NumericGreaterThan', TYPE, ['9', '7'], '8', true],
    ['NumericGreaterThanEquals', TYPE, '7', 'seven', false],
    ['NumericGreaterThanEquals', TYPE, '7', null, false],
    ['DateLessThan', TYPE, '2026-01-01T00:00:00Z', '2025-12-31', true],
    ['DateLessThan', TYPE, '2026-01-01T00:00:00Z', 'soon', false],
    ['ForAllValues:StringEquals', FEATURES, ['a', 'b'], ['a'], true],
    ['ForAllValues:StringEquals', FEATURES, ['a', 'b'], ['a', 'c'], false],
    ['ForAllValues:StringEquals', FEATURES, 'a', [], true],
    ['ForAllValues:StringEquals', FEATURES, 'a', null, true],
    ['ForAllValues:StringNotEquals', FEATURES, 'a', ['b', 'c'], true],
    ['ForAllValues:StringNotEquals', FEATURES, 'a', ['b', 'a'], false],
    ['ForAnyValue:StringEquals', FEATURES, 'a', ['b', 'a'], true],
    ['ForAnyValue:StringEquals', FEATURES, 'a', [], false],
    ['ForAnyValue:StringEquals', FEATURES, 'a', null, false],
    ['ForAnyValue:StringEqualsIfExists', FEATURES, 'a', null, true],
    ['ForAnyValue:StringNotEquals', FEATURES, 'a', ['b', 'a'], true],
    ['ForAnyValue:StringNotEquals', FEATURES, 'a', ['a'], false],
    ['ForAnyValue:StringNotEquals', FEATURES, 'a', null, false],
    ['ForAnyValue:StringLike', FEATURES, 'Last*', ['PersistentConnect', 'LastWill'], true],
    ['StringEquals', FEATURES, 'a', ['b', 'a'], true],
    ['StringNotEquals', FEATURES, 'a', ['b', 'a'], false],
    ['StringEquals', COMMON, 'a', ['a', 'b'], true],
    ['StringEquals', COMMON, 'b', ['a', 'b'], false],
  ];
  it.each(rows)('%s of %s with %j, asked with %j: %s', (operator, key, values, asked, expected) => {
    expect(holds(operator, key, values, context(asked === null ? {} : { [key]: asked }))).toBe(expected);
  });

  it.each<[string, string, string[], boolean]>([
    ['StringEquals', `${COMMON}.0`, ['a'], true],
    ['StringEquals', `${COMMON}.2`, ['c'], true],
    ['StringEquals', `${COMMON}.3`, ['c'], false],
    ['StringNotEquals', `${COMMON}.3`, ['c'], true],
    ['ForAnyValue:StringEquals', `${COMMON}.List`, ['c'], true],
    ['ForAllValues:StringEquals', `${COMMON}.List`, ['a', 'b'], false],
    ['ForAllValues:StringEquals', COMMON, ['a'], true],
  ])('%s picks %s: %j %s', (operator, key, values, expected) => {
    expect(holds(operator, key, values, context({ [COMMON]: ['a', 'b', 'c'] }))).toBe(expected);
  });

  const noon = Date.UTC(2026, 10, 28, 12);
  it.each<[string, string, string, boolean]>([
    ['DateGreaterThan', NOW, '2026-11-28T11:59:59Z', true],
    ['DateGreaterThan', NOW, '2026-11-28T13:00:00+01:00', false],
    ['DateGreaterThanEquals', NOW, '2026-11-28T13:00:00+01:00', true],
    ['DateLessThan', NOW, '2026-11-29', true],
    ['DateEquals', NOW, String(noon / 1000), true],
    ['DateNotEquals', NOW, String(noon / 1000), false],
    ['NumericLessThanEquals', 'aws:EpochTime', String(noon / 1000), true],
    ['NumericLessThan', 'aws:EpochTime', String(noon / 1000), false],
  ])('%s of %s with %s at noon: %s', (operator, key, value, expected) => {
    expect(holds(operator, key, value, context({}, noon))).toBe(expected);
    expect(holds(operator, key, value, context({}))).toBe(operator === 'DateNotEquals');
  });

  it.each(['StringEquals', 'StringNotEquals', 'StringLike', 'ForAllValues:StringEquals', 'StringEqualsIfExists'])(
    'of %s with a variable compares its value, and without one is what it must be',
    (operator) => {
      const condition = parseCondition('', operator, ID, ['lamp', `\${${TYPE}}`]);
      const isNegated = operator === 'StringNotEquals';
      expect(condition.holds(context({ [ID]: 'light', [TYPE]: 'light' }), 'nothing')).toBe(!isNegated);
      expect(condition.holds(context({ [ID]: 'light', [TYPE]: 'l*' }), 'nothing')).toBe(isNegated);
      expect(condition.holds(context({ [ID]: 'light' }), 'nothing')).toBe(false);
      expect(condition.holds(context({ [ID]: 'light' }), 'anything')).toBe(true);
    },
  );

  it('does not take what a caller sends for what a request says', () => {
    const condition = parseCondition('', 'StringEquals', 'umbra:ShadowName', ['desired']);
    expect(condition.holds({ caller: { 'umbra:ShadowName': 'desired' } }, 'nothing')).toBe(false);
    expect(condition.holds({ caller: {}, request: { 'umbra:ShadowName': 'desired' } }, 'nothing')).toBe(true);
  });
});
