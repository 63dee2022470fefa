import fc from 'fast-check';
import { matchesByRules } from '../../../../test/harness/filter-model.js';
import { CHANGE_TAILS, type ChangeTail } from '../../../document/change-messages.js';
import { shadowTopic, TAILS } from '../../topics.js';
import type { Session } from '../sessions/session.js';
import { eachSession } from './each-session.js';
import type { Few } from './few.js';
import { GrantedFilter } from './granted-filter.js';
import { Subscribers } from './subscribers.js';

const THINGS = ['T', 'U', 'update'];
const SHADOWS = [null, 'S', 'update', 'name', 'delta', '$x'];
const KEYS = THINGS.flatMap((thing) => SHADOWS.map((name) => ({ thing, name })));
const sessions = [...'abc'].map((id) => ({ id }) as Session);

const thing = fc.constantFrom(...THINGS, '+');
const shadow = fc.constantFrom(
  'shadow',
  'shadow',
  'shadow/name/S',
  'shadow/name/update',
  'shadow/name/+',
  'shadow/+/S',
  '+',
);
const tail = fc.oneof(
  fc.constantFrom<string>(...TAILS),
  fc.constantFrom('#', '+', '+/+', '+/delta', '+/accepted', 'update/+', 'update/#', 'update/delta/#', 'name/+/+/+'),
);
const likely = fc.tuple(thing, shadow, tail).map((levels) => `$aws/things/${levels.join('/')}`);
const level = fc.constantFrom('+', 'things', 'shadow', 'name', 'update', 'delta', 'accepted', 'get', 'T', 'S');
const odd = fc
  .tuple(fc.array(level, { maxLength: 7 }), fc.boolean())
  .map(([levels, below]) => ['$aws', ...levels, ...(below ? ['#'] : [])].join('/'));
const granted = fc
  .tuple(
    fc.constantFrom(...sessions),
    fc.oneof({ weight: 4, arbitrary: likely }, odd),
    fc.boolean(),
    fc.boolean(),
    fc.nat(3),
  )
  .map(([session, filter, high, noLocal, id]) => new GrantedFilter(session, filter, high ? 1 : 0, noLocal, id));

interface Delivery {
  readonly qos: 0 | 1;
  readonly identifiers: readonly number[];
}

/** What each session gets, by the rules. */
function expected(all: ReadonlySet<GrantedFilter>, topic: string, sender?: string): Map<string, Delivery> {
  const deliveries = new Map<string, Delivery>();
  for (const session of sessions) {
    const isFor = (each: GrantedFilter): boolean =>
      each.session === session && !(each.noLocal && session.id === sender);
    const matches = [...all].filter((each) => isFor(each) && matchesByRules(each.filter, topic));
    const identifiers = matches.map(({ identifier }) => identifier).filter((id) => id > 0);
    const qos = matches.some((each) => each.qos === 1) ? 1 : 0;
    if (matches.length > 0) deliveries.set(session.id, { qos, identifiers: identifiers.sort() });
  }
  return deliveries;
}

function delivered(few: Few<GrantedFilter>, sender?: string): Map<string, Delivery> {
  const deliveries = new Map<string, Delivery>();
  eachSession(few, sender, ({ id }, qos, identifiers) => {
    if (deliveries.has(id)) throw new Error(`${id} gets it twice`);
    if (identifiers?.length === 0) throw new Error(`${id} gets an empty list of identifiers`);
    deliveries.set(id, { qos, identifiers: [...(identifiers ?? [])].sort() });
  });
  return deliveries;
}

const isChange = (each: string): each is ChangeTail => (CHANGE_TAILS as readonly string[]).includes(each);

/** All comparisons of a shadow in one: an expect for each takes most of the time. */
function check(subscribers: Subscribers, all: ReadonlySet<GrantedFilter>, key: (typeof KEYS)[number]): void {
  const audience = subscribers.audienceOf(key.thing, key.name);
  const topics = TAILS.map((each) => `${shadowTopic(key)}/${each}`);
  const wanted = topics.map((topic) => expected(all, topic));
  const found = topics.map((topic) => ({
    has: subscribers.has(topic),
    ofAll: delivered(subscribers.of(topic)),
    notOfOneself: delivered(subscribers.of(topic), 'a'),
  }));
  const changes = TAILS.map((each) => {
    if (!isChange(each)) return null;
    return { has: audience?.has(each) ?? false, all: delivered(audience?.of(each) ?? null) };
  });
  const isSilent = TAILS.every((each, i) => !isChange(each) || wanted[i]!.size === 0);
  expect({ found, changes, isSilent: audience === null }).toEqual({
    found: wanted.map((ofAll, i) => ({ has: ofAll.size > 0, ofAll, notOfOneself: expected(all, topics[i]!, 'a') })),
    changes: wanted.map((each, i) => (isChange(TAILS[i]!) ? { has: each.size > 0, all: each } : null)),
    isSilent,
  });
}

describe('Subscribers', () => {
  it('property: deliver as the rules of MQTT say, once for each session, whatever comes and goes', () => {
    const steps = fc.array(fc.tuple(granted, fc.boolean()), { maxLength: 24 });
    fc.assert(
      fc.property(steps, fc.shuffledSubarray(KEYS, { minLength: 4, maxLength: 4 }), (all, keys) => {
        const subscribers = new Subscribers();
        const present = new Set<GrantedFilter>();
        for (const [each] of all) {
          subscribers.add(each);
          present.add(each);
        }
        for (const key of keys) check(subscribers, present, key);
        for (const [each, stays] of all) {
          if (stays) continue;
          subscribers.remove(each);
          present.delete(each);
        }
        for (const key of keys) check(subscribers, present, key);
        for (const each of present) subscribers.remove(each);
        expect(subscribers.isEmpty).toBe(true);
      }),
    );
  });

  it('tell things and shadows apart', () => {
    const subscribers = new Subscribers();
    const [session] = sessions;
    const filters = ['$aws/things/T/shadow/update/delta', '$aws/things/U/shadow/name/+/update/accepted'];
    for (const filter of filters) subscribers.add(new GrantedFilter(session!, filter, 0, false, 0));
    const tails = (of: string, name: string | null): ChangeTail[] =>
      CHANGE_TAILS.filter((each) => subscribers.audienceOf(of, name)?.has(each));
    expect(tails('T', null)).toEqual(['update/delta']);
    expect(tails('U', 'S')).toEqual(['update/accepted']);
    expect([subscribers.audienceOf('T', 'S'), subscribers.audienceOf('U', null)]).toEqual([null, null]);
    expect(subscribers.audienceOf('V', null)).toBeNull();
  });

  it('delivers to thousands of sessions on one topic once each', () => {
    const subscribers = new Subscribers();
    const many = Array.from({ length: 3000 }, (_, i) => ({ id: String(i) }) as Session);
    const all = many.flatMap((session) =>
      ['$aws/things/T/shadow/update/documents', '$aws/things/+/shadow/#'].map(
        (filter, i) => new GrantedFilter(session, filter, i === 0 ? 0 : 1, false, i),
      ),
    );
    for (const each of all) subscribers.add(each);
    const got = delivered(subscribers.audienceOf('T', null)!.of('update/documents'));
    expect(got.size).toBe(3000);
    expect([...got.values()].every(({ qos, identifiers }) => qos === 1 && identifiers.length === 1)).toBe(true);
    for (const each of all) subscribers.remove(each);
    expect(subscribers.isEmpty).toBe(true);
  });
});
