import { applyDelete } from '../../src/document/apply-delete.js';
import { applyUpdate } from '../../src/document/apply-update.js';
import { DEFAULT_LIMITS } from '../../src/document/limits.js';
import * as messages from '../../src/document/messages.js';
import { parseClientToken, parseUpdate } from '../../src/document/parse-request.js';
import type { ChangeRecord, ShadowState } from '../../src/document/shadow-document.js';
import { isTombstone } from '../../src/document/shadow-document.js';
import { ServiceError } from '../../src/errors/service-error.js';
import { displayName } from '../../src/document/shadow-name.js';
import type { Outcome, VectorDriver, VectorOp } from '../harness/vectors.js';
import { loadVectors, matchMessage, runVector } from '../harness/vectors.js';

/** The pure core with a map for a store: each message goes through JSON, as on the wire. */
class CoreDriver implements VectorDriver {
  readonly #shadows = new Map<string, ShadowState>();
  /** Token of the request, once it is read: a door puts it on what rejects the request. */
  #token: string | undefined;
  #at = 0;

  setNow(seconds: number): void {
    // The service's clock has milliseconds; messages and stamps must not.
    this.#at = seconds * 1000 + 999;
  }

  async request(op: VectorOp, thing: string, shadow: string | null, payload: Buffer): Promise<Outcome> {
    const name = displayName(thing, shadow);
    this.#token = undefined;
    try {
      const operations = { get: this.#get, update: this.#update, delete: this.#delete };
      return wire(operations[op].call(this, name, payload));
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      return wire({ rejected: messages.rejected(error.withToken(this.#token)), delta: null, documents: null });
    }
  }

  #update(name: string, payload: Buffer): Outcome {
    const request = parseUpdate(payload, DEFAULT_LIMITS);
    this.#token = request.clientToken;
    const previous = this.#shadows.get(name) ?? null;
    const document = applyUpdate(previous, request, { now: this.#at, limits: DEFAULT_LIMITS });
    this.#shadows.set(name, wire(document));
    const change = this.#change('update', request.clientToken, { patch: request.state });
    return {
      accepted: messages.updateAccepted(document, change),
      delta: messages.deltaMessage(document, change),
      documents: messages.documentsMessage(previous, document, change),
    };
  }

  #get(name: string, payload: Buffer): Outcome {
    const clientToken = (this.#token = parseClientToken(payload, DEFAULT_LIMITS));
    const state = this.#shadows.get(name);
    if (state === undefined || isTombstone(state)) throw new ServiceError('notFound', name);
    return { accepted: messages.getAccepted(state, this.#at, clientToken), delta: null, documents: null };
  }

  #delete(name: string, payload: Buffer): Outcome {
    const clientToken = (this.#token = parseClientToken(payload, DEFAULT_LIMITS));
    const context = { now: this.#at, displayName: name };
    const tombstone = applyDelete(this.#shadows.get(name) ?? null, context);
    this.#shadows.set(name, wire(tombstone));
    const change = this.#change('delete', clientToken, {});
    return { accepted: messages.deleteAccepted(tombstone, change), delta: null, documents: null };
  }

  #change(kind: ChangeRecord['kind'], clientToken: string | undefined, rest: Partial<ChangeRecord>): ChangeRecord {
    return { kind, principal: 'test', at: this.#at, ...rest, ...(clientToken !== undefined && { clientToken }) };
  }
}

function wire<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

describe('the vectors of PROTOCOL 6 on the pure core', () => {
  const vectors = loadVectors();

  it('are all there', () => {
    expect(vectors).toHaveLength(66);
  });

  it.each(vectors.map((vector) => [vector.name, vector] as const))('%s', async (_name, vector) => {
    expect(await runVector(vector, new CoreDriver())).toEqual([]);
  });

  it('still pass when the clock cannot be set', async () => {
    const core = new CoreDriver();
    core.setNow(1_800_000_000);
    const driver: VectorDriver = { request: (...args) => core.request(...args) };
    const failures: string[] = [];
    for (const vector of vectors.filter((one) => one.requiresClock !== true)) {
      failures.push(...(await runVector(vector, driver)).map((text) => `${vector.name}: ${text}`));
    }
    expect(failures).toEqual([]);
  });
});

describe('the runner sees what is wrong', () => {
  const answers = (outcome: Outcome): VectorDriver => ({ setNow: () => undefined, request: async () => outcome });
  const step = (expected: object) => ({
    name: 'one',
    rule: 'x',
    steps: [{ op: 'update' as const, now: 1, expect: expected }],
  });

  it.each<[string, object, Outcome, RegExp]>([
    ['no answer', {}, {}, /exactly one answer/],
    ['rejected for accepted', { accepted: {} }, { rejected: { code: 400 } }, /accepted is due/],
    ['a delta too many', { delta: null }, { accepted: {}, delta: {} }, /must not be sent/],
    ['no delta', { delta: {} }, { accepted: {}, delta: null }, /nothing was sent/],
    [
      'a wrong member',
      { accepted: { version: 2 } },
      { accepted: { version: 3 } },
      /accepted\.version: expected 2, got 3/,
    ],
  ])('%s', async (_name, expected, outcome, mismatch) => {
    expect(await runVector(step(expected), answers(outcome))).toEqual([expect.stringMatching(mismatch)]);
  });

  it('does not check what a driver cannot observe', async () => {
    expect(await runVector(step({ delta: { version: 1 }, documents: null }), answers({ accepted: {} }))).toEqual([]);
  });

  it.each<[unknown, unknown, boolean]>([
    [{ a: 1 }, { a: 1, b: 2 }, true],
    [{ state: { a: 1 } }, { state: { a: 1, b: 2 } }, false],
    [{ state: { a: [1, { b: 2 }] } }, { state: { a: [1, { b: 2 }] } }, true],
    [{ state: { a: [1, 2] } }, { state: { a: [2, 1] } }, false],
    [{ previous: { state: { a: 1 } } }, { previous: { state: { a: 1 }, version: 4 } }, true],
    [{ current: { metadata: {} } }, { current: { metadata: { a: 1 } } }, false],
    [{ previous: null }, { previous: {} }, false],
    [{ previous: null }, {}, false],
    [{ a: '$absent' }, {}, true],
    [{ a: '$absent' }, { a: null }, false],
    [{ state: '$absent' }, { state: {} }, false],
    [{ a: '$any' }, { a: null }, true],
    [{ a: '$any' }, {}, false],
    [{ a: '$int' }, { a: 1.5 }, false],
    [{ a: { $gt: 2 } }, { a: 3 }, true],
    [{ a: { $gt: 2 } }, { a: 2 }, false],
    [{ a: { $in: [1, 'x'] } }, { a: 'x' }, true],
    [{ a: { $in: [1] } }, { a: '1' }, false],
    [{ a: { $regex: '(?i)^INVALID' } }, { a: 'invalid json' }, true],
    [{ a: { $regex: '^INVALID' } }, { a: 'invalid json' }, false],
    [{ metadata: { a: { timestamp: 1 } } }, { metadata: { a: { timestamp: 2 } } }, false],
  ])('%j against %j: %s', (expected, actual, matches) => {
    expect(matchMessage(expected, actual) === null).toBe(matches);
  });

  it('frees only stamps when the clock cannot be set', () => {
    const free = { anyTimestamp: true };
    expect(
      matchMessage(
        { metadata: { a: { timestamp: 1 } }, timestamp: 1 },
        { metadata: { a: { timestamp: 2 } }, timestamp: 9 },
        free,
      ),
    ).toBeNull();
    expect(
      matchMessage({ metadata: { a: { timestamp: 1 } } }, { metadata: { a: { timestamp: '2' } } }, free),
    ).not.toBeNull();
    expect(matchMessage({ state: { timestamp: 1 } }, { state: { timestamp: 2 } }, free)).not.toBeNull();
    expect(matchMessage({ timestamp: 1 }, { timestamp: 'now' }, free)).not.toBeNull();
  });
});
