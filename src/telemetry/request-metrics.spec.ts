import { kindOf, outcomeOfStatus, OUTCOME_OF, RequestMetrics } from './request-metrics.js';

describe('outcomes', () => {
  it.each([
    ['versionConflict', 'conflict'],
    ['preconditionFailed', 'conflict'],
    ['notFound', 'not_found'],
    ['noRoute', 'invalid'],
    ['invalidJson', 'invalid'],
    ['tooLarge', 'too_large'],
    ['credentialsMissing', 'denied'],
    ['notAllowed', 'denied'],
    ['tooManyRequests', 'too_many'],
    ['storageFull', 'storage_full'],
    ['storageUnavailable', 'unavailable'],
    ['outcomeUnknown', 'unknown'],
    ['draining', 'draining'],
    ['internal', 'internal'],
  ] as const)('%s is %s', (code, outcome) => expect(OUTCOME_OF[code]).toBe(outcome));

  it.each([
    [200, 'ok'],
    [304, 'ok'],
    [404, 'not_found'],
    [405, 'invalid'],
    [502, 'internal'],
  ] as const)('%d is %s', (status, outcome) => expect(outcomeOfStatus(status)).toBe(outcome));
});

it.each([
  ['shadow:update', 'update'],
  ['thing:list', 'list'],
  ['shadow:watch', 'watch'],
  ['transaction:update', 'transaction'],
  ['bulk:update', 'bulk'],
  ['policy:get', 'other'],
  ['public', 'other'],
] as const)('%s is counted as %s', (action, kind) => expect(kindOf(action)).toBe(kind));

it('records at one door and one kind', () => {
  const metrics = new RequestMetrics();
  const { get, update } = metrics.door('mqtt', ['get', 'update']);
  metrics.door('http', ['get']);
  get.record('ok', 3);
  update.record('conflict', 3);
  update.count('denied');
  const counted = (metrics.requests.samples() ?? []).filter(({ value }) => value > 0);
  expect(counted.map(({ labels }) => labels.filter((_, i) => i % 2 === 1).join())).toEqual([
    'mqtt,get,ok',
    'mqtt,update,conflict',
    'mqtt,update,denied',
  ]);
  expect(metrics.durations.count(metrics.durations.bind('mqtt', 'update'))).toBe(1);
});
