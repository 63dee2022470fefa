import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ANONYMOUS } from '../../../access/principal.js';
import { MemoryBudget } from '../sessions/memory-budget.js';
import { Session } from '../sessions/session.js';
import { GrantedFilter } from './granted-filter.js';
import { filterBytes, Subscribers } from './subscribers.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** So many filters that the tables that they share are far from empty. */
const FILTERS = 3_000;
const budget = new MemoryBudget();
/** Everything that was measured: what is given back meanwhile would be taken off. */
const measured: unknown[] = [];

const shapes: readonly (readonly [string, (name: string) => string])[] = [
  ['the changes of a classic shadow', (name) => `$aws/things/${name}/shadow/update/accepted`],
  ['the answers of a classic shadow', (name) => `$aws/things/${name}/shadow/get/accepted`],
  ['the changes of a named shadow', (name) => `$aws/things/${name}/shadow/name/n/update/accepted`],
  ['one of many shadows of a thing', (name) => `$aws/things/one/shadow/name/${name}/update/accepted`],
  ['one shadow of all things', (name) => `$aws/things/+/shadow/name/${name}/#`],
  ['all of a thing', (name) => `$aws/things/${name}/#`],
  ['all of its classic shadow', (name) => `$aws/things/${name}/shadow/update/+`],
  ['all of its named shadow', (name) => `$aws/things/${name}/shadow/name/${name}/update/+`],
  ['as many wildcards as there may be', (name) => `$aws/+/${name}/+/+/${name}/+/+`],
  ['everything', () => `$aws/#`],
];

function heapBytes(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

/** Bytes of the heap that a filter takes, which is in a session of its own. */
function measure(of: (name: string) => string): number {
  const sessions = Array.from({ length: FILTERS }, (_, i) => new Session(`s${i}`, ANONYMOUS, 1, budget));
  const subscribers = new Subscribers();
  const before = heapBytes();
  sessions.forEach((session, i) => {
    const filter = Buffer.from(of(`thing-number-${i}`)).toString('latin1');
    const granted = new GrantedFilter(session, filter, 1, false, 0);
    session.granted = session.granted.concat(granted);
    subscribers.add(granted);
  });
  const bytes = (heapBytes() - before) / FILTERS;
  measured.push(sessions, subscribers);
  return bytes;
}

// The first one pays for the compiler.
beforeAll(() => void measure((name) => `$aws/things/${name}/#`));

it.each(shapes)('counts about what a filter takes, or more: %s', (_what, of) => {
  expect(filterBytes(of('thing-number-1000'))).toBeGreaterThan(0.8 * measure(of));
});
