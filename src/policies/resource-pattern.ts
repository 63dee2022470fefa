import type { PolicyContext } from './context-keys.js';
import { parsePattern, type Pattern } from './pattern.js';
import { PolicyFault, quoted } from './policy-fault.js';

/** What a request can be about; a resource is one of these, a slash and a name. `tenant` is our own. */
export const RESOURCE_TYPES = ['client', 'topic', 'topicfilter', 'thing', 'tenant'] as const;
/** `client/ID`, `topic/T`, `topicfilter/F`, `thing/NAME[/SHADOW]` or `tenant/ID`. */
export type PolicyResource = `${(typeof RESOURCE_TYPES)[number]}/${string}`;

/** UTF-16 units of a resource as a document has it. */
const MAX_LENGTH = 2048;
const NO_CONTEXT: PolicyContext = { caller: {} };
const ANY = '*';

/** The ARN of a statement: any partition and region of AWS IoT, an account, and what stands behind it. */
export interface ResourcePattern {
  /** Pattern of the account without variables. */
  readonly account: Pattern;
  /** Pattern of `topic/T` and so on. */
  readonly resource: Pattern;
  /** Whether it can match a resource that the service asks about. */
  readonly hasEffect: boolean;
}

/**
 * @param place where the document has the ARN
 * @param text an ARN with `*`, `?` and variables, or `*` for everything
 * @throws PolicyFault when it is no ARN, or has an unknown variable
 */
export function parseResource(place: string, text: string): ResourcePattern {
  if (text.length > MAX_LENGTH) throw new PolicyFault(place, `is longer than ${MAX_LENGTH} characters`);
  const { service, account, resource } = parts(place, text);
  const pattern = parsePattern(place, resource);
  const isOurs = parsePattern(place, service).matches('iot', NO_CONTEXT, 'nothing');
  return { account: parsePattern(place, account), resource: pattern, hasEffect: isOurs && namesType(resource) };
}

/** Whether the pattern is about resources of this account; null: of any. No errors. */
export function isOfAccount(pattern: ResourcePattern, account: string | null): boolean {
  return account === null || pattern.account.matches(account, NO_CONTEXT, 'nothing');
}

interface ArnParts {
  readonly service: string;
  readonly account: string;
  readonly resource: string;
}

function parts(place: string, text: string): ArnParts {
  if (text === ANY) return { service: ANY, account: ANY, resource: ANY };
  const [arn, partition, service, region, account, ...rest] = text.split(':');
  const isCut = text.endsWith(':*') && rest.length === 0;
  if (arn !== 'arn' || service === undefined || !partition || (rest.length === 0 && !isCut)) {
    throw new PolicyFault(place, `${quoted(text)} is no ARN; write "arn:aws:iot:region:account:topic/…" or "*"`);
  }
  for (const part of [partition, service, region ?? '', account ?? '']) {
    if (part.includes('$')) throw new PolicyFault(place, 'variables can stand behind the account of an ARN only');
  }
  return isCut
    ? { service, account: ANY, resource: ANY }
    : { service, account: account ?? ANY, resource: rest.join(':') };
}

/** Whether the text begins with a type of ours, or with a wildcard or variable that may be one. */
function namesType(resource: string): boolean {
  const [type = ''] = /^[^*?$]*/.exec(resource) ?? [];
  return RESOURCE_TYPES.some((each) =>
    type.length === resource.length || type.includes('/') ? type.startsWith(`${each}/`) : `${each}/`.startsWith(type),
  );
}
