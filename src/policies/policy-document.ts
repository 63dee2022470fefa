import { describeJsonFault } from '../document/json-fault.js';
import { parseAction, type ActionPattern } from './actions.js';
import { parseCondition, type Condition } from './condition.js';
import { duplicateMember } from './duplicate-member.js';
import { memberPlace, PolicyFault, quoted } from './policy-fault.js';
import { parseResource, type ResourcePattern } from './resource-pattern.js';

/** Bytes of UTF-8. AWS allows 2 KiB for a policy of AWS IoT and up to 10 KiB for one of IAM. */
export const MAX_DOCUMENT_BYTES = 16 * 1024;
/** The only version that has variables. */
const VERSION = '2012-10-17';

/** A statement with what it is compiled from; empty lists when nothing in it is ever asked for. */
export interface PolicyStatement {
  readonly sid: string | null;
  readonly effect: 'allow' | 'deny';
  readonly actions: readonly ActionPattern[];
  readonly resources: readonly ResourcePattern[];
  readonly conditions: readonly Condition[];
  /** The statement as its author wrote it, frozen. */
  readonly source: Readonly<Record<string, unknown>>;
}

/** A checked document. It never changes, so that snapshots share it. */
export interface PolicyDocument {
  readonly statements: readonly PolicyStatement[];
  /** What is accepted but without effect, such as `Statement[0].Action[1]: "s3:PutObject" has no effect here`. */
  readonly notes: readonly string[];
}

type Members = Readonly<Record<string, unknown>>;

/**
 * Reads a policy document of AWS IoT as it is.
 * @param text JSON of at most MAX_DOCUMENT_BYTES
 * @throws PolicyFault with the place and what to change; nothing that is unknown is overlooked
 */
export function parsePolicyDocument(text: string): PolicyDocument {
  if (Buffer.byteLength(text) > MAX_DOCUMENT_BYTES) {
    throw new PolicyFault('', `the document has more than ${MAX_DOCUMENT_BYTES} bytes; split it into several policies`);
  }
  const fault = describeJsonFault(text);
  if (fault !== '') throw new PolicyFault('', `the document is no JSON: ${fault}`);
  const twice = duplicateMember(text);
  if (twice !== null) throw new PolicyFault(twice, 'is there twice; keep one of them');
  const root = membersOf('', JSON.parse(text), ['Version', 'Id', 'Statement']);
  if (root['Version'] !== VERSION) throw new PolicyFault('Version', `must be "${VERSION}"`);
  optionalText('Id', root['Id']);
  const notes: string[] = [];
  const statements = listOf('Statement', root['Statement']).map(({ at, value }) => parseStatement(at, value, notes));
  return { statements, notes };
}

function parseStatement(at: string, value: unknown, notes: string[]): PolicyStatement {
  const source = membersOf(at, value, ['Sid', 'Effect', 'Action', 'Resource', 'Condition']);
  const effect = source['Effect'];
  if (effect !== 'Allow' && effect !== 'Deny') throw new PolicyFault(`${at}.Effect`, 'must be "Allow" or "Deny"');
  const actions = textsOf(`${at}.Action`, source['Action']).flatMap(({ at: place, value: text }) => {
    const action = parseAction(place, text);
    return keepEffective(place, text, action, notes);
  });
  const texts = textsOf(`${at}.Resource`, source['Resource']);
  const conditions = conditionsOf(`${at}.Condition`, source['Condition']);
  // Other services have variables and conditions of their own.
  const isAsked = actions.length > 0;
  return {
    sid: optionalText(`${at}.Sid`, source['Sid']),
    effect: effect === 'Allow' ? 'allow' : 'deny',
    actions,
    resources: texts
      .filter(() => isAsked)
      .flatMap(({ at: place, value: text }) => keepEffective(place, text, parseResource(place, text), notes)),
    conditions: isAsked ? conditions.map((each) => parseCondition(each.at, each.operator, each.key, each.values)) : [],
    source: freeze(source),
  };
}

/** What has an effect, as a list; otherwise none, and a note. */
function keepEffective<T extends { readonly hasEffect: boolean }>(
  at: string,
  text: string,
  parsed: T,
  notes: string[],
): T[] {
  if (parsed.hasEffect) return [parsed];
  notes.push(`${at}: ${quoted(text)} has no effect here`);
  return [];
}

interface ConditionMember {
  /** Of the operator. */
  readonly at: string;
  readonly operator: string;
  readonly key: string;
  readonly values: readonly string[];
}

function conditionsOf(at: string, operators: unknown): ConditionMember[] {
  if (operators === undefined) return [];
  return Object.entries(membersOf(at, operators, null)).flatMap(([operator, keys]) => {
    const place = memberPlace(at, operator);
    return Object.entries(membersOf(place, keys, null)).map(([key, given]) => ({
      at: place,
      operator,
      key,
      values: conditionValues(memberPlace(place, key), given),
    }));
  });
}

/** An empty list is allowed here: AWS means "no value at all" by it. */
function conditionValues(at: string, given: unknown): string[] {
  const values: unknown[] = Array.isArray(given) ? given : [given];
  return values.map((value, index) => {
    if (typeof value === 'string') return value;
    if (typeof value === 'boolean' || typeof value === 'number') return String(value);
    throw new PolicyFault(Array.isArray(given) ? `${at}[${index}]` : at, 'must be a string, a number, true or false');
  });
}

/** @param known names of all members that it may have; null: any */
function membersOf(at: string, value: unknown, known: readonly string[] | null): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new PolicyFault(at, value === undefined ? 'is missing' : 'must be an object');
  }
  const unknown = Object.keys(value).find((name) => known !== null && !known.includes(name));
  if (unknown !== undefined) {
    throw new PolicyFault(memberPlace(at, unknown), `is unknown here; there are ${known!.join(', ')}`);
  }
  return value as Members;
}

interface Placed<T> {
  readonly at: string;
  readonly value: T;
}

/** The elements of a list that must have one, or the one value in place of a list. */
function listOf(at: string, value: unknown): Placed<unknown>[] {
  if (value === undefined) throw new PolicyFault(at, 'is missing');
  if (!Array.isArray(value)) return [{ at, value }];
  if (value.length === 0) throw new PolicyFault(at, 'must not be empty');
  return value.map((each: unknown, index) => ({ at: `${at}[${index}]`, value: each }));
}

function textsOf(at: string, value: unknown): Placed<string>[] {
  return listOf(at, value).map(({ at: place, value: each }) => {
    if (typeof each !== 'string') throw new PolicyFault(place, 'must be a string');
    return { at: place, value: each };
  });
}

function optionalText(at: string, value: unknown): string | null {
  if (value === undefined) return null;
  if (typeof value !== 'string') throw new PolicyFault(at, 'must be a string');
  return value;
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(freeze);
  return value;
}
