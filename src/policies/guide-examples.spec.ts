import { readFileSync } from 'node:fs';
import type { PolicyAction } from './actions.js';
import type { ContextValues, PolicyContext } from './context-keys.js';
import { parsePolicyDocument } from './policy-document.js';
import { PolicySet } from './policy-set.js';
import type { PolicyResource } from './resource-pattern.js';

interface GuideCase {
  readonly page: string;
  readonly shows: string;
  readonly document: unknown;
  /** Expected effect, caller or request, action, resource. */
  readonly checks?: readonly [string, string, PolicyAction, PolicyResource][];
  readonly notes?: readonly string[];
  /** The whole message, when the document is not accepted. */
  readonly refused?: string;
}

interface Guide {
  readonly callers: Readonly<Record<string, ContextValues>>;
  readonly requests: Readonly<Record<string, ContextValues>>;
  readonly cases: readonly GuideCase[];
}

const guide = JSON.parse(readFileSync('test/cases/policies/guide-examples.json', 'utf8')) as Guide;
const titled = guide.cases.map((each) => ({ ...each, title: `${each.page}: ${each.shows}` }));

function contextOf(name: string): PolicyContext {
  const caller = guide.callers[name] ?? (name in guide.requests ? { 'iot:ClientId': 'x' } : undefined);
  if (!caller) throw new Error(`The cases have no caller ${name}`);
  return { caller, request: guide.requests[name] };
}

describe('what the developer guide of AWS IoT shows', () => {
  const accepted = titled.filter(({ refused }) => refused === undefined);
  const refusals = titled.filter(({ refused }) => refused !== undefined);

  it('is there', () => {
    expect(accepted.length).toBeGreaterThan(50);
    expect(refusals.length).toBeGreaterThan(5);
  });

  it.each(accepted)('decides as the guide says: $title', ({ document, checks, notes }) => {
    const parsed = parsePolicyDocument(JSON.stringify(document));
    const set = new PolicySet([{ name: 'guide', document: parsed, confinedTo: 'default' }]);
    const decided = checks!.map(([, who, action, resource]) => [
      set.decide(action, resource, contextOf(who)).effect,
      who,
      action,
      resource,
    ]);
    expect(decided).toEqual(checks);
    expect(parsed.notes).toEqual(notes);
  });

  it.each(refusals)('is refused with the reason: $title', ({ document, refused }) => {
    expect(() => parsePolicyDocument(JSON.stringify(document))).toThrow(
      expect.objectContaining({ name: 'PolicyFault', message: refused }),
    );
  });
});
