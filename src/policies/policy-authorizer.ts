import type { CredentialStanding } from '../access/credential-standing.js';
import type { Authorizer, Surroundings } from '../access/authorizer.js';
import type { PolicyAction } from '../access/policy-action.js';
import type { Principal } from '../access/principal.js';
import { covers } from '../access/scopes.js';
import type { AccessDirectory } from '../directory/access-directory.js';
import { stands } from '../directory/standing.js';
import type { Clock } from '../resilience/clock.js';
import { thingAttribute, UNREAD_CERTIFICATE, type ContextValues, type PolicyContext } from './context-keys.js';
import { policiesIn } from './directory-policies.js';
import type { Explained } from './policies.openapi.js';
import type { PolicySet } from './policy-set.js';
import type { PolicySnapshot } from './policy-snapshot.js';
import type { PolicyResource } from './resource-pattern.js';
import { requestValues } from './request-values.js';
import { subjectPolicies } from './subject-policies.js';

/**
 * What is remembered for a principal, for one generation. It is the context of its decisions too: of thousands of callers
 * none is in the cache of a processor, and each object more that a decision looks into costs as much as all it computes.
 */
interface Known extends PolicyContext {
  readonly generation: number;
  readonly set: PolicySet;
  /** Its tenant, itself and its credential are there and enabled. */
  readonly stands: boolean;
  clientId: string | undefined;
  address: string | undefined;
  caller: ContextValues;
}

/** Injection token of the PolicyAuthorizer. */
export const POLICY_AUTHORIZER = Symbol('PolicyAuthorizer');

/** Decides by the policies of the directory. Whoever is not in it may do nothing. */
export class PolicyAuthorizer implements Authorizer {
  readonly isRequired = true;
  readonly #known = new WeakMap<Principal, Known>();
  #snapshot: PolicySnapshot;

  /** @param credentials null: whether a credential holds is said by the directory alone */
  constructor(
    private readonly directory: AccessDirectory,
    private readonly clock: Clock,
    private readonly credentials: CredentialStanding | null = null,
  ) {
    this.#snapshot = policiesIn(directory);
    directory.onChange((change) => {
      // Principals and keys are looked up in the directory itself.
      if (change === 'all' || change.kind === 'policy' || change.kind === 'tenant')
        this.#snapshot = policiesIn(directory);
    });
  }

  get generation(): number {
    return this.directory.generation + (this.credentials?.generation ?? 0);
  }

  allows(principal: Principal, action: PolicyAction, resource: string, surroundings: Surroundings = {}): boolean {
    if (!covers(principal.scopes, action)) return false;
    const known = this.#knownOf(principal);
    if (!known.stands || this.hasEnded(principal)) return false;
    const context = this.#contextOf(known, principal, action, resource, surroundings);
    return known.set.decide(action, resource as PolicyResource, context).effect === 'allow';
  }

  isLasting(principal: Principal): boolean {
    return !this.#knownOf(principal).set.dependsOnRequest;
  }

  hasEnded({ expiresAt }: Principal): boolean {
    return expiresAt !== undefined && expiresAt <= this.clock.now();
  }

  mayEver(principal: Principal, action: PolicyAction): boolean {
    const { stands: isKnown, set } = this.#knownOf(principal);
    return isKnown && covers(principal.scopes, action) && !this.hasEnded(principal) && set.mayEver(action);
  }

  isActive(principal: Principal): boolean {
    const { credentials, directory, clock } = this;
    return stands(directory, principal, clock.now()) && (credentials === null || credentials.holds(principal));
  }

  onChange(listener: () => void): () => void {
    const ends = [this.directory.onChange(listener), this.credentials?.onChange(listener)];
    return () => ends.forEach((end) => end?.());
  }

  /** What is decided now, why, and all that the principal is subject to. No errors. */
  explain(principal: Principal, action: string, resource: string, surroundings: Surroundings): Explained {
    const known = this.#knownOf(principal);
    const context = this.#contextOf(known, principal, action, resource, surroundings);
    const explanation = known.set.explain(action as PolicyAction, resource as PolicyResource, context);
    const { effect, policy, statement, source } = explanation;
    const permissions = known.set.permissions().map((each) => ({ ...each, source: { ...each.source } }));
    return {
      effect,
      policy,
      statement,
      source: source && { ...source },
      active: this.isActive(principal),
      permissions,
    };
  }

  #knownOf(principal: Principal): Known {
    const before = this.#known.get(principal);
    const { generation } = this;
    if (before?.generation === generation) return before;
    const set = this.#snapshot.setOf(principal.tenant, subjectPolicies(this.directory, principal));
    const isKnown = this.isActive(principal);
    const known = { generation, set, stands: isKnown, clientId: undefined, address: undefined, caller: NOTHING };
    this.#known.set(principal, known);
    return known;
  }

  #contextOf(known: Known, principal: Principal, action: string, resource: string, asked: Surroundings): PolicyContext {
    const { clientId, address } = asked;
    if (known.caller === NOTHING || known.clientId !== clientId || known.address !== address) {
      known.clientId = clientId;
      known.address = address;
      known.caller = callerValues(principal, this.directory, asked);
    }
    if (!known.set.dependsOnRequest) return known;
    return { caller: known.caller, request: requestValues(action, resource, asked), now: this.clock.now() };
  }
}

const NOTHING: ContextValues = {};

function callerValues(principal: Principal, directory: AccessDirectory, asked: Surroundings): ContextValues {
  const { id, tenant, thing, certificateId } = principal;
  const record = directory.get('principal', tenant, id)?.record;
  const isThing = thing !== undefined;
  // All at once, those without a value too: what is added to an object later lies elsewhere in memory.
  const values: Record<string, string | undefined> = {
    'iot:Connection.Thing.ThingName': thing,
    'iot:Connection.Thing.IsAttached': isThing ? 'true' : undefined,
    'iot:Connection.Thing.ThingTypeName': isThing ? (record?.thingType ?? undefined) : undefined,
    'iot:ClientId': asked.clientId,
    'aws:SourceIp': asked.address === '' ? undefined : asked.address,
    'iot:CertificateId': certificateId,
    'umbra:Principal': id,
    'umbra:Tenant': tenant,
  };
  if (certificateId !== undefined) values[UNREAD_CERTIFICATE] = '';
  if (!isThing) return values;
  for (const [name, value] of record?.attributes ?? []) values[thingAttribute(name)] = value;
  return values;
}
