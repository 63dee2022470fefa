import { IOT_ACTIONS, UMBRA_ACTIONS, type PolicyAction } from './actions.js';
import { applies, compilePolicy, mayGive, type NamedPolicy, type Rule } from './compiled-policy.js';
import type { PolicyContext } from './context-keys.js';
import { NO_STATEMENT, type Decision } from './decision.js';
import type { PolicyResource } from './resource-pattern.js';

/** Actions whose rules are kept; a caller that asks for ever new ones gets an answer, but no place. */
const MAX_ACTIONS = 64;
/**
 * Rules of one caller: a decision may look at each of them, about 0.16 µs for one with a variable, and all callers of a
 * node wait meanwhile. AWS IoT allows 10 policies of 2,048 characters, which are fewer than 1,000 rules.
 */
export const MAX_RULES = 2000;
/** Policies of one caller, attached by whatever way: an explanation shows all of them. */
export const MAX_POLICIES = 500;

/** A decision with what its reader needs to understand it. */
export interface Explanation extends Decision {
  readonly sid: string | null;
  /** The statement as its author wrote it; null when none decided. */
  readonly source: Readonly<Record<string, unknown>> | null;
  /** Whether a variable of the deciding statement had no value, which only a Deny survives. */
  readonly isUnresolved: boolean;
}

/** A statement that a caller is subject to. */
export interface Permission {
  readonly policy: string;
  readonly statement: number;
  readonly source: Readonly<Record<string, unknown>>;
}

/** By resource, of those without wildcards and variables; null: there are none. */
type ExactRules = ReadonlyMap<string, readonly Rule[]> | null;

/** The rules for one action, each effect's exact ones and those with patterns. */
interface ActionRules {
  readonly exactDenies: ExactRules;
  readonly denies: readonly Rule[];
  readonly exactAllows: ExactRules;
  readonly allows: readonly Rule[];
}

/** Places of the usual actions: one table for all sets is in the processor's cache, and one for each set is not. */
const PLACES: ReadonlyMap<string, number> = new Map([...IOT_ACTIONS, ...UMBRA_ACTIONS].map((each, at) => [each, at]));

/** The policies of a caller, compiled. It never changes. */
export class PolicySet {
  readonly #policies: readonly NamedPolicy[];
  readonly #rules: readonly Rule[];
  /** Of the usual actions, by their places. */
  readonly #byPlace: (ActionRules | null)[] = Array.from(PLACES, () => null);
  /** Of the others. */
  readonly #byAction = new Map<string, ActionRules>();
  /** Refuses everything: a policy that is attached is not there or was not looked at, and it may have been a Deny. */
  readonly #refusal: Decision | null;
  /** Whether a decision can differ between two requests of one caller for the same action and resource. */
  readonly dependsOnRequest: boolean;

  /**
   * @param policies of one caller, in any order
   * @param account of the tenant, null: ARNs of any account count
   * @param missing name of an attached policy that does not exist, null: all do
   */
  constructor(policies: readonly NamedPolicy[], account: string | null = null, missing: string | null = null) {
    this.#policies = policies.slice(0, MAX_POLICIES);
    const { rules, excess } = rulesOf(policies, account);
    this.#rules = rules;
    const refusing = missing ?? excess;
    this.#refusal = refusing === null ? null : Object.freeze({ effect: 'deny', policy: refusing, statement: null });
    this.dependsOnRequest = this.#rules.some(({ statement }) =>
      statement.conditions.some(({ key }) => key.scope !== 'caller'),
    );
  }

  /** The answer, synchronously: a Deny wins over every Allow, and without either nothing is allowed. No errors. */
  decide(action: PolicyAction, resource: PolicyResource, context: PolicyContext): Decision {
    return this.#refusal ?? this.#deciding(action, resource, context)?.decision ?? NO_STATEMENT;
  }

  /** The same answer with the statement behind it. No errors. */
  explain(action: PolicyAction, resource: PolicyResource, context: PolicyContext): Explanation {
    const rule = this.#refusal === null ? this.#deciding(action, resource, context) : undefined;
    const decision = this.#refusal ?? rule?.decision ?? NO_STATEMENT;
    if (!rule) return { ...decision, sid: null, source: null, isUnresolved: false };
    const { sid, source } = rule.statement;
    // A Deny that would not hold without the rule for unresolved variables holds because of it.
    const isUnresolved = rule.decision.effect === 'deny' && !holdsResolved(rule, resource, context);
    return { ...decision, sid, source, isUnresolved };
  }

  /** Whether any statement allows the action for some resource, whatever else forbids. No errors. */
  mayEver(action: PolicyAction): boolean {
    if (this.#refusal !== null) return false;
    const { exactAllows, allows } = this.#rulesFor(action);
    return exactAllows !== null || allows.length > 0;
  }

  /** All statements that the caller is subject to, those without effect too; of at most MAX_POLICIES. No errors. */
  permissions(): Permission[] {
    return this.#policies.flatMap(({ name, document }) =>
      document.statements.map(({ source }, statement) => ({ policy: name, statement, source })),
    );
  }

  #deciding(action: string, resource: string, context: PolicyContext): Rule | undefined {
    const { exactDenies, denies, exactAllows, allows } = this.#rulesFor(action);
    return first(exactDenies, denies, resource, context) ?? first(exactAllows, allows, resource, context);
  }

  #rulesFor(action: string): ActionRules {
    const place = PLACES.get(action);
    if (place === undefined) return this.#byAction.get(action) ?? this.#compileOther(action);
    return this.#byPlace[place] ?? (this.#byPlace[place] = this.#compile(action));
  }

  #compileOther(action: string): ActionRules {
    const compiled = this.#compile(action);
    if (this.#byAction.size < MAX_ACTIONS) this.#byAction.set(action, compiled);
    return compiled;
  }

  #compile(action: string): ActionRules {
    const rules = this.#rules.filter(
      (rule) => mayGive(rule, action) && rule.statement.actions.some((each) => each.matches(action)),
    );
    const denies = rules.filter(({ isDeny }) => isDeny);
    const allows = rules.filter(({ isDeny }) => !isDeny);
    return {
      exactDenies: exactOf(denies),
      denies: withPatterns(denies),
      exactAllows: exactOf(allows),
      allows: withPatterns(allows),
    };
  }
}

/** @returns `excess`: the policy that goes beyond a limit, and then there are no rules; null: none does */
function rulesOf(
  policies: readonly NamedPolicy[],
  account: string | null,
): { readonly rules: Rule[]; readonly excess: string | null } {
  const rules: Rule[] = [];
  const tooMany = policies[MAX_POLICIES];
  if (tooMany !== undefined) return { rules, excess: tooMany.name };
  for (const policy of policies) {
    for (const rule of compilePolicy(policy, account)) rules.push(rule);
    if (rules.length > MAX_RULES) return { rules: [], excess: policy.name };
  }
  return { rules, excess: null };
}

/** Shared by all sets, most of which deny nothing. */
const NO_RULES: readonly Rule[] = [];

function withPatterns(rules: readonly Rule[]): readonly Rule[] {
  const patterns = rules.filter(({ pattern }) => pattern.literal === null);
  return patterns.length > 0 ? patterns : NO_RULES;
}

function exactOf(rules: readonly Rule[]): ExactRules {
  const exact = new Map<string, Rule[]>();
  for (const rule of rules) {
    const { literal } = rule.pattern;
    if (literal === null) continue;
    const same = exact.get(literal);
    if (same) same.push(rule);
    else exact.set(literal, [rule]);
  }
  return exact.size > 0 ? exact : null;
}

function first(
  exact: ExactRules,
  patterns: readonly Rule[],
  resource: string,
  context: PolicyContext,
): Rule | undefined {
  if (exact !== null) {
    const rule = exact.get(resource)?.find((each) => applies(each, resource, context));
    if (rule) return rule;
  }
  for (let at = 0; at < patterns.length; at++) if (applies(patterns[at]!, resource, context)) return patterns[at];
  return undefined;
}

function holdsResolved({ pattern, statement }: Rule, resource: string, context: PolicyContext): boolean {
  return (
    pattern.matches(resource, context, 'nothing') &&
    statement.conditions.every((condition) => condition.holds(context, 'nothing'))
  );
}
