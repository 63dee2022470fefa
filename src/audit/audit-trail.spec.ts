import { jest } from '@jest/globals';
import { pino } from 'pino';
import type { AuditEvent } from '../access/audit.js';
import { SILENT_LOGGER } from '../telemetry/logger.js';
import { SYSTEM_CLOCK } from '../resilience/clock.js';
import { AuditTrail, type AuditQuery } from './audit-trail.js';

const CHIEF = { id: 'chief', tenant: 'a' };
const event = (more: Partial<AuditEvent> = {}): AuditEvent => ({
  ...{ action: 'policy:update', actor: CHIEF, tenant: 'a', target: '/v1/policies/p', address: '192.0.2.1' },
  ...{ outcome: 'done', code: null, ...more },
});
const refusal = (more: Partial<AuditEvent> = {}): AuditEvent =>
  event({ actor: null, tenant: null, outcome: 'refused', code: 'AUTH_102', ...more });
const ask = (more: Partial<AuditQuery> = {}): AuditQuery => ({ tenant: 'a', hasUnknown: false, limit: 100, ...more });

let trail: AuditTrail;
beforeEach(() => {
  jest.useFakeTimers();
  trail = new AuditTrail(SYSTEM_CLOCK, SILENT_LOGGER);
});
afterEach(() => {
  trail.close();
  jest.useRealTimers();
});
const targets = (query: AuditQuery): string[] => trail.page(query).entries.map(({ target }) => target);

it.each<[string, Partial<AuditQuery>, string[]]>([
  ['everything of a tenant, and what its people did elsewhere', {}, ['1', '2', '4']],
  ['another tenant', { tenant: 'b' }, ['2', '3']],
  ['what belongs to nobody', { hasUnknown: true }, ['1', '2', '4', '5']],
  ['an actor', { actor: 'lamp' }, ['4']],
  ['an action', { action: 'key:delete' }, ['1']],
  ['a target', { target: '2' }, ['2']],
  ['an outcome', { outcome: 'failed' }, ['2']],
])('shows %s', (_, query, expected) => {
  trail.record(event({ target: '1', action: 'key:delete' }));
  trail.record(event({ target: '2', tenant: 'b', outcome: 'failed', code: 'preconditionFailed' }));
  trail.record(event({ target: '3', tenant: 'b', actor: { id: 'x', tenant: 'b' } }));
  trail.record(refusal({ target: '4', actor: { id: 'lamp', tenant: 'a' }, tenant: 'a' }));
  trail.record(refusal({ target: '5' }));
  expect(targets(ask(query))).toEqual(expected);
});

it('goes on after a page, and again after the end', () => {
  for (let n = 0; n < 5; n++) trail.record(event({ target: String(n) }));
  const first = trail.page(ask({ limit: 3 }));
  const second = trail.page(ask({ limit: 3, after: first.next }));
  expect([...first.entries, ...second.entries].map(({ target }) => target)).toEqual(['0', '1', '2', '3', '4']);
  trail.record(event({ target: 'later' }));
  expect(targets(ask({ after: second.next }))).toEqual(['later']);
});

it('says that a cursor is gone: of another node, or forgotten', () => {
  const { next } = trail.page(ask());
  expect(() => new AuditTrail(SYSTEM_CLOCK, SILENT_LOGGER).page(ask({ after: next }))).toThrow(/of another node/);
  for (let n = 0; n <= 10_000; n++) trail.record(event());
  expect(() => trail.page(ask({ after: next }))).toThrow(/only the latest events/);
  expect(targets(ask({ after: trail.page(ask({ limit: 20_000 })).next }))).toHaveLength(0);
  for (const after of ['', 'x', '1.', `${next}0`, '../1']) expect(() => trail.page(ask({ after }))).toThrow();
});

it('keeps what clients do all day apart, in one order with all else', () => {
  trail.record(event({ target: '1' }));
  for (let n = 0; n <= 10_000; n++) trail.record(event({ target: '2', action: 'token:grant', isRoutine: true }));
  trail.record(refusal({ target: '3' }));
  trail.record(event({ target: '4' }));
  const { entries } = trail.page(ask({ hasUnknown: true, limit: 20_000 }));
  expect(entries.map(({ target }) => target)).toEqual(['1', ...new Array<string>(10_000).fill('2'), '3', '4']);
  expect(entries.every(({ sequence }, n) => n === 0 || sequence > entries[n - 1]!.sequence)).toBe(true);
  expect(entries[1]).not.toHaveProperty('isRoutine');
});

it('tells refusals of one actor apart by where it is', () => {
  const actor = { id: 'lamp', tenant: 'a' };
  for (const address of ['192.0.2.1', '192.0.2.2', '192.0.2.1']) trail.record(refusal({ actor, address }));
  jest.advanceTimersByTime(10_000);
  const { entries } = trail.page(ask());
  expect(entries.map(({ address, count }) => [address, count])).toEqual([
    ['192.0.2.1', 1],
    ['192.0.2.2', 1],
    ['192.0.2.1', 1],
  ]);
});

it('makes two entries of a flood from one network, and drives out no change', () => {
  trail.record(event());
  for (let n = 0; n < 30_000; n++) trail.record(refusal({ address: `2001:db8::${(n % 60_000).toString(16)}` }));
  jest.advanceTimersByTime(10_000);
  const { entries } = trail.page(ask({ hasUnknown: true }));
  expect(entries.map(({ outcome, count }) => [outcome, count])).toEqual([
    ['done', 1],
    ['refused', 1],
    ['refused', 29_999],
  ]);
  // Quiet kinds are forgotten, so that the next refusal is said at once.
  jest.advanceTimersByTime(10_000);
  expect(jest.getTimerCount()).toBe(0);
  trail.record(refusal());
  expect(trail.page(ask({ hasUnknown: true })).entries).toHaveLength(4);
});

it('makes few entries of a flood from many addresses, and loses none of its count', () => {
  for (let n = 0; n < 5000; n++) trail.record(refusal({ address: `10.1.${n >> 8}.${n & 255}` }));
  jest.advanceTimersByTime(10_000);
  const { entries } = trail.page(ask({ hasUnknown: true, limit: 10_000 }));
  expect(entries.length).toBeLessThanOrEqual(201);
  expect(entries.reduce((sum, { count }) => sum + count, 0)).toBe(5000);
});

it('writes a line for each entry, and cuts long targets', () => {
  const lines: string[] = [];
  const logger = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) });
  const logged = new AuditTrail(SYSTEM_CLOCK, logger);
  logged.record(event({ target: 'x'.repeat(65_535) }));
  logged.close();
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ audit: true, action: 'policy:update', target: 'x'.repeat(256) });
});
