import { SettableClock } from '../../test/harness/clock.js';
import type { Credentials, Identity } from '../access/authenticator.js';
import { ServiceError } from '../errors/service-error.js';
import { SlowedFailures } from './slowed-failures.js';

const GOOD = { id: 'lamp', tenant: 'a' };
const clock = new SettableClock();
const answers: Record<string, Identity> = {
  good: GOOD,
  wrong: new ServiceError('credentialsUnknown'),
  expired: new ServiceError('credentialsExpired'),
};
const inner = {
  isRequired: true,
  signatures: null,
  authenticate: ({ bearer }: Credentials): Identity => answers[bearer ?? ''] ?? new ServiceError('credentialsMissing'),
};
const credentials = (bearer: string | null, address = '192.0.2.1'): Credentials => ({
  ...{ userName: null, password: null, bearer, certificate: null, address },
});
let slowed: SlowedFailures;
const ask = (bearer: string | null, address?: string): string => {
  const identity = slowed.authenticate(credentials(bearer, address)) as Identity;
  return identity instanceof ServiceError ? identity.code : identity.id;
};
beforeEach(() => {
  slowed = new SlowedFailures(inner, 3, clock);
});

it('answers some failures, then one a second', () => {
  const five = (): string[] => Array.from({ length: 5 }, () => ask('wrong'));
  expect(five()).toEqual([...new Array<string>(3).fill('credentialsUnknown'), 'tooManyFailures', 'tooManyFailures']);
  expect(slowed.isSlowed('192.0.2.1')).toBe(true);
  clock.advance(1000);
  expect(five()).toEqual(['credentialsUnknown', ...new Array<string>(4).fill('tooManyFailures')]);
});

it('refuses nobody else because of it', () => {
  for (let n = 0; n < 100; n++) ask('wrong');
  expect(ask('wrong')).toBe('tooManyFailures');
  expect([ask('good'), ask('expired'), ask(null)]).toEqual(['lamp', 'credentialsExpired', 'credentialsMissing']);
  expect(ask('wrong', '192.0.2.2')).toBe('credentialsUnknown');
});

it('takes the addresses of one network of IPv6 for one', () => {
  for (let n = 0; n < 3; n++) ask('wrong', `2001:db8::${n}`);
  expect(ask('wrong', '2001:db8::ffff')).toBe('tooManyFailures');
  expect(ask('wrong', '2001:db8:0:1::1')).toBe('credentialsUnknown');
});

it('counts what takes time, too', async () => {
  const slow = {
    isRequired: true,
    signatures: null,
    authenticate: (shown: Credentials) => Promise.resolve(inner.authenticate(shown)),
  };
  slowed = new SlowedFailures(slow, 1, clock);
  await slowed.authenticate(credentials('wrong'));
  expect(await slowed.authenticate(credentials('wrong'))).toMatchObject({ authCode: 'AUTH_903', status: 429 });
  expect(await slowed.authenticate(credentials('good'))).toBe(GOOD);
});

it('slows down who guesses for one name from many addresses, and never who is right', () => {
  const wrong = new ServiceError('wrongSecret');
  const guess = (n: number, name: string): string => (slowed.counted(wrong, `192.0.2.${n}`, name) as ServiceError).code;
  const codes = Array.from({ length: 5 }, (_, n) => guess(n, 'lamp'));
  expect(codes).toEqual([...new Array<string>(3).fill('wrongSecret'), 'tooManyFailures', 'tooManyFailures']);
  expect(slowed.counted(GOOD, '192.0.2.9', 'lamp')).toBe(GOOD);
  // What was refused for the name has taken nothing of the network.
  expect([guess(4, 'door'), guess(4, 'gate'), guess(4, 'mill'), guess(4, 'well')]).toEqual([
    ...new Array<string>(3).fill('wrongSecret'),
    'tooManyFailures',
  ]);
  clock.advance(1000);
  expect([guess(5, 'lamp'), guess(6, 'lamp')]).toEqual(['wrongSecret', 'tooManyFailures']);
});

it('slows nobody down when it is off', () => {
  slowed = new SlowedFailures(inner, 0, clock);
  expect(new Set(Array.from({ length: 100 }, () => ask('wrong')))).toEqual(new Set(['credentialsUnknown']));
});
