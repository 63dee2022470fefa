import type { NamedPolicy } from './compiled-policy.js';
import type { PolicyDocument } from './policy-document.js';
import { PolicySet } from './policy-set.js';
import { rolePolicy } from './roles.js';

export interface PolicyRecord {
  readonly tenant: string;
  readonly name: string;
  /** Parsed when it was stored or read, so that a new snapshot parses nothing again. */
  readonly document: PolicyDocument;
}

export interface SnapshotRecords {
  readonly policies: Iterable<PolicyRecord>;
  /** AWS account of each tenant that states one; ARNs of the others may name any. */
  readonly accounts?: ReadonlyMap<string, string>;
}

/** Sets that are kept for callers to come; those in use are held by who uses them. */
const MAX_SETS = 10_000;

/** All policies at one moment. It never changes; what it answers is only remembered. */
export class PolicySnapshot {
  readonly #tenants = new Map<string, Map<string, PolicyDocument>>();
  readonly #accounts: ReadonlyMap<string, string>;
  readonly #sets = new Map<string, PolicySet>();
  readonly #maxSets: number;

  /** @param maxSets number of sets that are kept for callers to come */
  constructor({ policies, accounts }: SnapshotRecords, maxSets = MAX_SETS) {
    this.#accounts = accounts ?? new Map();
    this.#maxSets = maxSets;
    for (const { tenant, name, document } of policies) {
      const documents = this.#tenants.get(tenant);
      if (documents) documents.set(name, document);
      else this.#tenants.set(tenant, new Map([[name, document]]));
    }
  }

  /**
   * The compiled policies of these names: one set for all callers with the same ones. No errors.
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

  #compile(tenant: string, names: readonly string[]): PolicySet {
    const policies: NamedPolicy[] = [];
    let missing: string | null = null;
    for (const name of names) {
      const builtIn = rolePolicy(name);
      const document = builtIn ?? this.#tenants.get(tenant)?.get(name);
      if (document) policies.push({ name, document, confinedTo: builtIn ? null : tenant });
      else missing ??= name;
    }
    return new PolicySet(policies, this.#accounts.get(tenant) ?? null, missing);
  }
}
