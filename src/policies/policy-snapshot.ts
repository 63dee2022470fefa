import type { NamedPolicy } from './compiled-policy.js';
import type { PolicyDocument } from './policy-document.js';
import { PolicySet } from './policy-set.js';
import type { RoleName } from '../access/roles.js';
import { ROLE_PREFIX, rolePolicy } from './roles.js';

/** What a policy can be attached to. */
export type AttachmentTarget = 'principal' | 'certificate' | 'group' | 'tenant';

export interface PolicyRecord {
  readonly tenant: string;
  readonly name: string;
  /** Parsed when it was stored or read, so that a new snapshot parses nothing again. */
  readonly document: PolicyDocument;
}

export interface AttachmentRecord {
  readonly tenant: string;
  readonly target: AttachmentTarget;
  /** Id of the principal, certificate or group; of the tenant itself for `tenant`. */
  readonly id: string;
  /** Name of a policy of this tenant, or of a built-in one such as `role:viewer`. */
  readonly policy: string;
}

export interface SnapshotRecords {
  /** Revision of the store at which the records were read. */
  readonly revision: number;
  readonly policies: Iterable<PolicyRecord>;
  readonly attachments: Iterable<AttachmentRecord>;
  /** AWS account of each tenant that states one; ARNs of the others may name any. */
  readonly accounts?: ReadonlyMap<string, string>;
}

/** Whose policies are asked for. Keep the object as long as its connection: a snapshot remembers the set for it. */
export interface PolicySubject {
  readonly tenant: string;
  readonly principal: string;
  /** Id of the certificate, null without one. */
  readonly certificate: string | null;
  /** Groups of things that the principal's thing is in. */
  readonly groups: readonly string[];
  /** Roles that its credential gives. */
  readonly roles: readonly RoleName[];
}

/** Sets that are kept for callers to come; those in use are held by their subjects. */
const MAX_SETS = 10_000;

type Attached = Readonly<Record<AttachmentTarget, Map<string, string[]>>>;

class TenantPolicies {
  readonly documents = new Map<string, PolicyDocument>();
  readonly attached: Attached = { principal: new Map(), certificate: new Map(), group: new Map(), tenant: new Map() };
}

/** All policies and attachments at one revision. It never changes; what it answers is only remembered. */
export class PolicySnapshot {
  readonly revision: number;
  readonly #tenants = new Map<string, TenantPolicies>();
  readonly #accounts: ReadonlyMap<string, string>;
  readonly #sets = new Map<string, PolicySet>();
  readonly #bySubject = new WeakMap<PolicySubject, PolicySet>();
  readonly #maxSets: number;

  /** @param maxSets number of sets that are kept for callers to come */
  constructor({ revision, policies, attachments, accounts }: SnapshotRecords, maxSets = MAX_SETS) {
    this.revision = revision;
    this.#accounts = accounts ?? new Map();
    this.#maxSets = maxSets;
    for (const { tenant, name, document } of policies) this.#tenant(tenant).documents.set(name, document);
    for (const { tenant, target, id, policy } of attachments) {
      const lists = this.#tenant(tenant).attached[target];
      const list = lists.get(id);
      if (list) list.push(policy);
      else lists.set(id, [policy]);
    }
  }

  /** The compiled policies of a caller: one set for all callers with the same ones. No errors. */
  setFor(subject: PolicySubject): PolicySet {
    const known = this.#bySubject.get(subject);
    if (known) return known;
    const set = this.setOf(subject.tenant, this.#namesFor(subject));
    this.#bySubject.set(subject, set);
    return set;
  }

  /**
   * The compiled policies of these names. No errors.
   * @param names each once, in one order for all callers
   */
  setOf(tenant: string, names: readonly string[]): PolicySet {
    const key = JSON.stringify([tenant, ...names]);
    const set = this.#sets.get(key) ?? this.#compile(tenant, names);
    this.#sets.delete(key);
    this.#sets.set(key, set);
    if (this.#sets.size > this.#maxSets) this.#sets.delete(this.#sets.keys().next().value!);
    return set;
  }

  /** Number of sets that are kept for callers to come. */
  get size(): number {
    return this.#sets.size;
  }

  #tenant(id: string): TenantPolicies {
    let tenant = this.#tenants.get(id);
    if (!tenant) this.#tenants.set(id, (tenant = new TenantPolicies()));
    return tenant;
  }

  /** Names of the subject's policies, each once and in one order. */
  #namesFor({ tenant, principal, certificate, groups, roles }: PolicySubject): string[] {
    const names = new Set<string>(roles.map((role) => ROLE_PREFIX + role));
    const attached = this.#tenants.get(tenant)?.attached;
    const lists = [
      attached?.tenant.get(tenant),
      attached?.principal.get(principal),
      certificate === null ? undefined : attached?.certificate.get(certificate),
      ...groups.map((group) => attached?.group.get(group)),
    ];
    for (const list of lists) for (const name of list ?? []) names.add(name);
    return [...names].sort();
  }

  #compile(tenant: string, names: readonly string[]): PolicySet {
    const policies: NamedPolicy[] = [];
    let missing: string | null = null;
    for (const name of names) {
      const builtIn = rolePolicy(name);
      const document = builtIn ?? this.#tenants.get(tenant)?.documents.get(name);
      if (document) policies.push({ name, document, confinedTo: builtIn ? null : tenant });
      else missing ??= name;
    }
    return new PolicySet(policies, this.#accounts.get(tenant) ?? null, missing);
  }
}
