import type { PolicyContext } from './context-keys.js';
import { parsePattern, type Pattern } from './pattern.js';
import { PolicyFault, quoted } from './policy-fault.js';

/** Actions of AWS IoT's data plane that the service asks for. */
export const IOT_ACTIONS = [
  'iot:Connect',
  'iot:Publish',
  'iot:Subscribe',
  'iot:Receive',
  'iot:GetThingShadow',
  'iot:UpdateThingShadow',
  'iot:DeleteThingShadow',
  'iot:ListNamedShadowsForThing',
] as const;
/** Actions of our own, besides those that begin with ADMIN. */
export const UMBRA_ACTIONS = [
  'umbra:Watch',
  'umbra:ListThings',
  'umbra:GetThing',
  'umbra:DeleteThing',
  'umbra:GetPresence',
  'umbra:Transact',
  'umbra:Lease',
] as const;
/** Begins the names of all administrative actions, such as `umbra:AdminPolicies`. */
export const ADMIN = 'umbra:Admin';

/** What a policy can be asked for. */
export type PolicyAction = (typeof IOT_ACTIONS)[number] | (typeof UMBRA_ACTIONS)[number] | `${typeof ADMIN}${string}`;

const SHAPE = /^(\*|[a-z][a-z0-9-]*:[a-zA-Z*?][a-zA-Z0-9*?]*)$/i;
const KNOWN = [...IOT_ACTIONS, ...UMBRA_ACTIONS].map((action) => action.toLowerCase());
const ADMIN_LOWER = ADMIN.toLowerCase();
/** Stands for the administrative actions, whose names are not listed here. */
const SOME_ADMIN = `${ADMIN_LOWER}x`;

/** Actions have no variables. */
const NO_CONTEXT: PolicyContext = { caller: {} };
/** Characters of an action; the longest of AWS has 64. */
const MAX_LENGTH = 128;

/** An action of a statement, with `*` and `?`; compared without case, as IAM does. */
export class ActionPattern {
  constructor(private readonly lower: Pattern) {}

  /** Whether the action is meant. No errors. */
  matches(action: string): boolean {
    return this.lower.matches(action.toLowerCase(), NO_CONTEXT, 'nothing');
  }

  /** Whether the service ever asks for an action that is meant. No errors. */
  get hasEffect(): boolean {
    return [...KNOWN, SOME_ADMIN].some((action) => this.matches(action)) || this.lower.prefix.startsWith(ADMIN_LOWER);
  }
}

/**
 * @param place where the document has the action
 * @throws PolicyFault when it is none, or has our prefix and is unknown
 */
export function parseAction(place: string, text: string): ActionPattern {
  if (!SHAPE.test(text) || text.length > MAX_LENGTH) {
    throw new PolicyFault(place, `${quoted(text)} is no action; write one as in "iot:Publish", or "*"`);
  }
  const action = new ActionPattern(parsePattern(place, text.toLowerCase()));
  if (/^umbra:/i.test(text) && !action.hasEffect) {
    const known = [...UMBRA_ACTIONS, `${ADMIN}*`].join(', ');
    throw new PolicyFault(place, `the action ${quoted(text)} is unknown; with this prefix there are ${known}`);
  }
  return action;
}
