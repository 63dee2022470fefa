import { basename } from 'node:path';
import { usage } from '../exit-code.js';
import { nameOf, parseJson, placeIn, textOf, type JsonPath, type Parsed } from '../json-file.js';
import type { Session } from '../session.js';
import type { Remark } from './check-document.js';

/** A policy as a file has it, and as the service would take it. */
export interface PolicyFile {
  /** As messages call the file. */
  readonly file: string;
  readonly policy: string;
  /** The document as it was written. */
  readonly text: string;
  readonly document: unknown;
  /** What of it the service would never ask for, with `file:line:column`. */
  readonly notes: readonly string[];
}

/** A document within a file. */
interface Inner extends Parsed {
  readonly text: string;
}

/** Members that hold a document: of `umbra policy get --json`, and of `aws iot get-policy`. */
const HOLDERS = ['document', 'policyDocument'] as const;

/**
 * Reads a policy document, alone or as `umbra policy get --json` or `aws iot get-policy` print it.
 * @param name of the policy; undefined: that in the file, or else that of the file
 * @throws CliError with `file:line:column` of all that the service would refuse
 */
export async function readPolicyFile(session: Session, path: string, name?: string): Promise<PolicyFile> {
  const file = nameOf(path);
  const text = await textOf(path, session.around);
  const outer = await parseJson(text, file);
  const inner = await innerOf(text, file, outer);
  const { checkDocument } = await import('./check-document.js');
  const { faults, notes } = checkDocument(inner.text);
  const inOrder = (remarks: readonly Remark[]): string[] =>
    remarks
      .map(({ path: at, text: what }) => ({
        offset: inner.sourceOf(at)!.offset,
        line: `${inner.placeOf(at)}: ${what}`,
      }))
      .sort((a, b) => a.offset - b.offset)
      .map(({ line }) => line);
  if (faults.length > 0) throw usage(inOrder(faults).join('\n'));
  const policy = name ?? namedIn(outer.value) ?? nameOfFile(path);
  return { file, policy, text: inner.text, document: inner.value, notes: inOrder(notes) };
}

async function innerOf(text: string, file: string, outer: Parsed): Promise<Inner> {
  const holder = HOLDERS.find((member) => hasMember(outer.value, member));
  if (holder === undefined || hasMember(outer.value, 'Statement')) return { ...outer, text };
  const { text: source, offset } = outer.sourceOf([holder])!;
  const value = (outer.value as Record<string, unknown>)[holder];
  const under = (path: JsonPath): JsonPath => [holder, ...path];
  if (typeof value !== 'string')
    return { value, text: source, placeOf: (p) => outer.placeOf(under(p)), sourceOf: (p) => outer.sourceOf(under(p)) };
  // AWS gives the document as a text in JSON: places are those of its characters in the file.
  const at = (index: number): string => placeIn(file, text, offset + writtenOffset(source, index));
  return { ...(await parseJson(value, file, at)), text: value };
}

const hasMember = (value: unknown, member: string): boolean =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, member);

/** Where a character of a JSON string is written: escapes are longer than what they mean. */
function writtenOffset(literal: string, index: number): number {
  let at = 1;
  for (let left = index; left > 0; left--) at += literal[at] !== '\\' ? 1 : literal[at + 1] === 'u' ? 6 : 2;
  return at;
}

/** AWS states the name in the answer about a policy, and in that about a version only within the ARN. */
function namedIn(value: unknown): string | undefined {
  const { policy, policyName, policyArn } = (value ?? {}) as Record<string, unknown>;
  const found = [policy, policyName].find((each) => typeof each === 'string' && each !== '');
  if (typeof found === 'string') return found;
  return typeof policyArn === 'string' ? /:policy\/([^/]+)$/.exec(policyArn)?.[1] : undefined;
}

function nameOfFile(path: string): string {
  if (path === '-') throw usage('a policy from stdin needs its name: give --name NAME');
  return basename(path).replace(/\.json$/i, '');
}
