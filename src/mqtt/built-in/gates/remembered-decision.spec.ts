import type { Authorizer } from '../../../access/authorizer.js';
import type { Principal } from '../../../access/principal.js';
import { RememberedDecision } from './remembered-decision.js';

const LAMP: Principal = { id: 'lamp', tenant: 'a' };
let state: { generation: number; isLasting: boolean; hasEnded: boolean };
const authorizer = {
  get generation() {
    return state.generation;
  },
  isLasting: () => state.isLasting,
  hasEnded: () => state.hasEnded,
} as unknown as Authorizer;
let decision: RememberedDecision;
const stands = (principal = LAMP): boolean => decision.allows(authorizer, principal);

beforeEach(() => {
  state = { generation: 1, isLasting: true, hasEnded: false };
  decision = new RememberedDecision();
  expect(stands()).toBe(false);
  decision.keep(authorizer, LAMP);
});

it('stands until it is forgotten', () => {
  expect(stands()).toBe(true);
  decision.forget();
  expect(stands()).toBe(false);
});

it.each([
  ['with the next change of access', () => state.generation++],
  ['when its credential has ended', () => (state.hasEnded = true)],
])('ends %s', (_when, change) => {
  change();
  expect(stands()).toBe(false);
});

it('is of one principal, as its credential made it', () => expect(stands({ ...LAMP })).toBe(false));

it('is not kept where the next one may be another', () => {
  decision = new RememberedDecision();
  state.isLasting = false;
  decision.keep(authorizer, LAMP);
  expect(stands()).toBe(false);
});
