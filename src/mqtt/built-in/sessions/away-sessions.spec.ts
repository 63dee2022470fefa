import fc from 'fast-check';
import { ANONYMOUS } from '../../../access/principal.js';
import { AwaySessions } from './away-sessions.js';
import { MemoryBudget } from './memory-budget.js';
import { Session } from './session.js';

const budget = new MemoryBudget();
const step = fc.tuple(fc.constantFrom('add', 'delete', 'end'), fc.nat(5));

it('holds the sessions that are away, the longest gone first, in whatever order they come and go', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const sessions = Array.from({ length: 6 }, (_, i) => new Session(`s${i}`, ANONYMOUS, 1, budget));
      const away = new AwaySessions();
      let expected: Session[] = [];
      for (const [what, at] of steps) {
        const session = what === 'end' ? away.first : sessions[at]!;
        if (session === null) continue;
        if (what !== 'add') away.delete(session);
        else if (!session.isAway) away.add(session);
        if (what !== 'add') expected = expected.filter((each) => each !== session);
        else if (!expected.includes(session)) expected.push(session);
        expect([...away].map(({ id }) => id)).toEqual(expected.map(({ id }) => id));
        expect(away.first).toBe(expected[0] ?? null);
      }
    }),
  );
});
