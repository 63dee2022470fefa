import fc from 'fast-check';
import { ServiceError } from '../errors/service-error.js';
import { applyUpdate } from './apply-update.js';
import { parseJsonPatch } from './json-patch.js';
import { DEFAULT_LIMITS } from './limits.js';
import type { Json, JsonObject } from './shadow-document.js';
import { StoredDocument } from './stored-document.js';

const limits = { ...DEFAULT_LIMITS, maxDepth: 20, maxDocumentBytes: 1_000_000 };

interface Operation {
  readonly op: string;
  readonly path: string;
  readonly from: string;
  readonly value: Json;
}

const names = fc.constantFrom('a', 'b', '0', '1', '__proto__', '');
const { value: values } = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom<Json>(0, 1, 'x', true),
    fc.array(tie('value'), { maxLength: 3 }),
    fc
      .array(fc.tuple(names, tie('value')), { maxLength: 3 })
      .map(
        (members) =>
          JSON.parse(
            `{${members.map(([name, each]) => `${JSON.stringify(name)}:${JSON.stringify(each)}`).join()}}`,
          ) as Json,
      ),
  ),
}));
const objects = values.filter(
  (value): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value),
);
const places = fc
  .array(fc.oneof(names, fc.constant('-')), { maxLength: 3 })
  .map((parts) => parts.map((part) => `/${part}`).join(''));
const operations: fc.Arbitrary<Operation> = fc.record({
  op: fc.constantFrom('add', 'add', 'remove', 'replace', 'move', 'copy', 'test'),
  path: places,
  from: places,
  value: values,
});

class Refused extends Error {}

/** RFC 6902 the plain way: on a copy that it changes. */
function naive(document: JsonObject, patch: readonly Operation[]): Json | undefined {
  const root: { value?: Json } = { value: structured(document) };
  const locate = (path: string): [Record<string, Json> | Json[], string] => {
    const parts = path.split('/').slice(1);
    let parent: unknown = root;
    let last = 'value';
    for (const part of parts) {
      parent = has(parent, last) ? (parent as Record<string, Json>)[last] : undefined;
      last = part;
    }
    if (typeof parent !== 'object' || parent === null) throw new Refused();
    return [parent as Json[], last];
  };
  const take = (path: string): Json => {
    const [parent, last] = locate(path);
    if (!has(parent, last)) throw new Refused();
    return structured((parent as Record<string, Json>)[last]!);
  };
  const drop = (path: string): void => {
    const [parent, last] = locate(path);
    if (!has(parent, last)) throw new Refused();
    if (Array.isArray(parent)) parent.splice(Number(last), 1);
    else delete parent[last];
  };
  const add = (path: string, value: Json): void => {
    const [parent, last] = locate(path);
    if (Array.isArray(parent)) {
      if (last !== '-' && !(/^\d$/.test(last) && Number(last) <= parent.length)) throw new Refused();
      parent.splice(last === '-' ? parent.length : Number(last), 0, structured(value));
    } else define(parent, last, structured(value));
  };
  for (const { op, path, from, value } of patch) {
    if (op === 'add') add(path, value);
    else if (op === 'remove') drop(path);
    else if (op === 'replace') {
      const [parent, last] = locate(path);
      if (!has(parent, last)) throw new Refused();
      define(parent as Record<string, Json>, last, structured(value));
    } else if (op === 'copy') add(path, take(from));
    else if (op === 'move') {
      const moved = take(from);
      drop(from);
      add(path, moved);
    } else if (canonical(take(path)) !== canonical(value)) throw new Refused();
  }
  return root.value;
}

const structured = (value: Json): Json => JSON.parse(JSON.stringify(value)) as Json;
const has = (parent: unknown, member: string): boolean =>
  typeof parent === 'object' &&
  parent !== null &&
  !(Array.isArray(parent) && member === 'length') &&
  Object.hasOwn(parent, member);
const define = (parent: object, member: string, value: Json): void =>
  void Object.defineProperty(parent, member, { value, writable: true, enumerable: true, configurable: true });

/** Without the order of members. */
function canonical(value: Json | undefined): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'none';
  const members = Object.keys(value).sort();
  return `{${members.map((member) => `${JSON.stringify(member)}:${canonical(value[member])}`).join()}}`;
}

describe('the update that a JSON Patch becomes', () => {
  it('has the result of the patch, and is refused when the patch is', () => {
    let applied = 0;
    fc.assert(
      fc.property(objects, fc.array(operations, { maxLength: 6 }), (desired, patch) => {
        fc.pre(!patch.some(({ op, from, path }) => op === 'move' && path.startsWith(`${from}/`)));
        const current = StoredDocument.of({ version: 1, desired, metadata: {} });
        let expected: string;
        try {
          const result = naive(desired, patch);
          const isSection =
            result === undefined || (typeof result === 'object' && result !== null && !Array.isArray(result));
          expected = isSection ? canonical(result ?? {}) : 'desiredNotObject';
        } catch (error) {
          if (!(error instanceof Refused)) throw error;
          expected = 'patchFailed';
        }
        let found: string;
        try {
          const request = parseJsonPatch(Buffer.from(JSON.stringify(patch)), 'desired', limits).updateOf(
            current,
            limits,
          );
          found = canonical(applyUpdate(current, request, { now: 0, limits }).desired ?? {});
          applied++;
        } catch (error) {
          if (!(error instanceof ServiceError)) throw error;
          found = error.code;
        }
        expect(found).toBe(expected);
      }),
      { numRuns: 500 },
    );
    expect(applied).toBeGreaterThan(50);
  });
});
