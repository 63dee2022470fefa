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

const WARMING = ['all of a thing', (name: string) => `$aws/things/${name}/#`] as const;

function heapBytes(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

/** A session of its own for each filter, made before anything is measured. */
const sessions = [WARMING, ...shapes].map(() =>
  Array.from({ length: FILTERS }, (_, i) => new Session(`s${i}`, ANONYMOUS, 1, budget)),
);
/** After the last collection, which is slow in a worker that has run other tests: one for each shape is enough. */
let before: number;

/** Bytes of the heap that a filter takes. */
function measure(of: (name: string) => string): number {
  const subscribers = new Subscribers();
  sessions.pop()?.forEach((session, i) => {
    measured.push(session);
    const filter = Buffer.from(of(`thing-number-${i}`)).toString('latin1');
    const granted = new GrantedFilter(session, filter, 1, false, 0);
    session.granted = session.granted.concat(granted);
    subscribers.add(granted);
  });
  measured.push(subscribers);
  const after = heapBytes();
  const bytes = (after - before) / FILTERS;
  before = after;
  return bytes;
}

// The first one pays for the compiler.
beforeAll(() => {
  before = heapBytes();
  measure(WARMING[1]);
});

it.each(shapes)('counts about what a filter takes, or more: %s', (_what, of) => {
  expect(filterBytes(of('thing-number-1000'))).toBeGreaterThan(0.8 * measure(of));
});
