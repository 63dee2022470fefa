import { PRESENCE } from '../store/presence-update.js';
import { subjectOf, subjectsOf, takes } from './nats-subject.js';

it.each([
  [null, 'updated', 'umbra.t.lamp.@classic.updated'],
  ['net', 'deleted', 'umbra.t.lamp.net.deleted'],
  [PRESENCE, 'presence', 'umbra.t.lamp.@thing.presence'],
] as const)('the subject of the shadow %s and the kind %s is one that the stream takes', (name, kind, subject) => {
  expect(subjectOf('umbra', { tenant: 't', thing: 'lamp', name }, kind)).toBe(subject);
  expect(takes(subjectsOf('umbra', 't'), 'umbra', 't')).toBe(true);
});
