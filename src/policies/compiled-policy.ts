import type { Condition } from './condition.js';
import { isUnread, type PolicyContext } from './context-keys.js';
import type { Decision } from './decision.js';
import type { PolicyDocument, PolicyStatement } from './policy-document.js';
import { isOfAccount } from './resource-pattern.js';
import type { Pattern } from './pattern.js';

/** A document under the name that decisions give. */
export interface NamedPolicy {
  readonly name: string;
  readonly document: PolicyDocument;
  /** The only tenant that its Allows can reach by `tenant/ID`, whatever they say; null: all, for what we wrote. */
  readonly confinedTo: string | null;
}

/** A statement for one of its resources, with what a decision looks at in one place. */
export interface Rule {
  readonly pattern: Pattern;
  readonly conditions: readonly Condition[];
  readonly isDeny: boolean;
  readonly confinedTo: string | null;
  readonly decision: Decision;
  readonly statement: PolicyStatement;
}

/** Of most statements. */
const NO_CONDITIONS: readonly Condition[] = [];

/**
 * The rules of a document, one for each resource of a statement.
 * @param account that the ARNs must name, as the tenant states it; null: any
 */
export function compilePolicy({ name, document, confinedTo }: NamedPolicy, account: string | null): Rule[] {
  return document.statements.flatMap((statement, index) => {
    const decision: Decision = Object.freeze({ effect: statement.effect, policy: name, statement: index });
    const conditions = statement.conditions.length > 0 ? statement.conditions : NO_CONDITIONS;
    const isDeny = statement.effect === 'deny';
    return statement.resources
      .filter((resource) => isOfAccount(resource, account))
      .map(({ resource: pattern }) => ({ pattern, conditions, isDeny, confinedTo, decision, statement }));
  });
}

const TENANT = 'tenant/';

/** Whether the rule is about the resource now. No errors. */
export function applies(
  { pattern, conditions, isDeny, confinedTo }: Rule,
  resource: string,
  context: PolicyContext,
): boolean {
  const unresolved = isDeny ? 'anything' : 'nothing';
  if (!pattern.matches(resource, context, unresolved)) return false;
  for (let at = 0; at < conditions.length; at++) {
    const condition = conditions[at]!;
    // What cannot be told must not allow, and must not let a Deny pass.
    if (!(isUnread(condition.key, context) ? isDeny : condition.holds(context, unresolved))) return false;
  }
  return isDeny || confinedTo === null || isWithin(confinedTo, resource);
}

/** Of the tenant itself, whose account and limits are those of the installation, and of all nodes. */
const RESERVED: ReadonlySet<string> = new Set(['umbra:admintenants', 'umbra:adminruntime']);

/** Whether the rule can count for an action that its statement names: a tenant gives itself no right over tenants and nodes. No errors. */
export function mayGive({ decision, confinedTo }: Rule, action: string): boolean {
  return decision.effect === 'deny' || confinedTo === null || !RESERVED.has(action.toLowerCase());
}

/** A tenant writes its own policies, and must not reach another one by them. */
function isWithin(tenant: string, resource: string): boolean {
  if (!resource.startsWith(TENANT)) return true;
  const rest = resource.slice(TENANT.length);
  return rest === tenant || rest.startsWith(`${tenant}/`);
}
