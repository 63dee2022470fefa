import type { Authenticator, Credentials, Identity } from '../../../src/access/authenticator.js';
import type { Authorizer, Surroundings } from '../../../src/access/authorizer.js';
import type { PolicyAction } from '../../../src/access/policy-action.js';
import type { Principal } from '../../../src/access/principal.js';
import { KeyPrincipals } from '../../../src/auth/key-principals.js';
import { secretKeyId, type SecretKeys } from '../../../src/auth/tokens/secret-key.js';
import type { AccessDirectory } from '../../../src/directory/access-directory.js';
import {
  ACCESS_PATH,
  keyOfRecord,
  readEntry,
  type AccessEntry,
  type KindName,
  type RecordTypes,
} from '../../../src/directory/access-records.js';
import { ServiceError } from '../../../src/errors/service-error.js';
import { PolicyAuthorizer } from '../../../src/policies/policy-authorizer.js';
import type { Clock } from '../../../src/resilience/clock.js';
import type { ClusterKeys } from '../../../src/store/cluster-keys.js';

/** What was made of the records of a key, as long as none of them changes. */
interface Made {
  /** Of all records, as they were read. */
  readonly revisions: string;
  readonly principal: Principal;
  readonly authorizer: PolicyAuthorizer;
}

/**
 * The plain way to have rules in a store: key, principal, tenant and policies are read for each request, linearizably,
 * those that are independent at once. Everything else is the service's own: the check of the key, the engine and what it
 * compiles, which is kept for as long as the records have the revisions that it was made of. So the reads alone differ.
 */
export class RulesPerRequest implements Authenticator, Authorizer {
  readonly isRequired = true;
  readonly signatures = null;
  /** No door remembers a decision: `isLasting` is false. */
  readonly generation = 0;
  readonly #keys: ClusterKeys;
  readonly #entries = new Map<string, AccessEntry<unknown>>();
  readonly #made = new Map<string, Made>();
  readonly #authorizers = new WeakMap<Principal, PolicyAuthorizer>();

  constructor(
    keys: ClusterKeys,
    private readonly secretKeys: SecretKeys,
    private readonly clock: Clock,
  ) {
    this.#keys = keys.under(ACCESS_PATH);
  }

  async authenticate({ bearer, password }: Credentials): Promise<Identity> {
    const shown = bearer ?? password ?? '';
    const id = secretKeyId(shown);
    if (id === null) return new ServiceError('credentialsMissing');
    const rules = new Rules();
    const key = await this.#read(rules, 'key', [id]);
    const proof = key?.proof;
    if (!key || !this.secretKeys.matches(shown, proof?.kind === 'secret' ? proof.digest : null))
      return new ServiceError('credentialsUnknown');
    const { tenant, principal } = key;
    const [owner, home] = await Promise.all([
      this.#read(rules, 'principal', [tenant, principal]),
      this.#read(rules, 'tenant', [tenant]),
    ]);
    const groups = await Promise.all((owner?.groups ?? []).map((each) => this.#read(rules, 'group', [tenant, each])));
    const attached = [owner, home, ...groups].flatMap((each) => each?.policies ?? []);
    await Promise.all([...new Set(attached)].map((name) => this.#read(rules, 'policy', [tenant, name])));
    return this.#identityOf(id, key, rules);
  }

  allows(principal: Principal, action: PolicyAction, resource: string, surroundings?: Surroundings): boolean {
    return this.#of(principal)?.allows(principal, action, resource, surroundings) ?? false;
  }

  isLasting(): boolean {
    return false;
  }

  hasEnded(principal: Principal): boolean {
    return this.#of(principal)?.hasEnded(principal) ?? true;
  }

  mayEver(principal: Principal, action: PolicyAction): boolean {
    return this.#of(principal)?.mayEver(principal, action) ?? false;
  }

  isActive(principal: Principal): boolean {
    return this.#of(principal)?.isActive(principal) ?? false;
  }

  /** Nobody tells it of changes. */
  onChange(): () => void {
    return () => undefined;
  }

  #of(principal: Principal): PolicyAuthorizer | undefined {
    return this.#authorizers.get(principal);
  }

  #identityOf(id: string, key: RecordTypes['key'], rules: Rules): Identity {
    const { revisions } = rules;
    const before = this.#made.get(id);
    if (before?.revisions === revisions) return before.principal;
    const directory = rules as unknown as AccessDirectory;
    const principal = new KeyPrincipals(directory, this.clock).of(id, key);
    if (principal instanceof ServiceError) return principal;
    const authorizer = new PolicyAuthorizer(directory, this.clock);
    this.#made.set(id, { revisions, principal, authorizer });
    this.#authorizers.set(principal, authorizer);
    return principal;
  }

  /** Reads one record and has `rules` know it; null: there is none. */
  async #read<Name extends KindName>(
    rules: Rules,
    kind: Name,
    names: readonly string[],
  ): Promise<RecordTypes[Name] | null> {
    const name = keyOfRecord(kind, names);
    const stored = await this.#keys.get(name);
    if (stored === null) return null;
    const known = this.#entries.get(name) as AccessEntry<RecordTypes[Name]> | undefined;
    const entry = known?.revision === stored.revision ? known : readEntry(kind, names, stored);
    this.#entries.set(name, entry);
    rules.add(kind, entry);
    return entry.record;
  }
}

/** The records that one request needs, as far as the engine asks a directory for them. */
class Rules implements Pick<AccessDirectory, 'generation' | 'revision' | 'get' | 'list' | 'onChange'> {
  readonly generation = 0;
  readonly revision = 1;
  readonly #entries = new Map<string, { readonly kind: KindName; readonly entry: AccessEntry<unknown> }>();

  add(kind: KindName, entry: AccessEntry<unknown>): void {
    this.#entries.set(keyOfRecord(kind, entry.names), { kind, entry });
  }

  /** Names the state of all of them. */
  get revisions(): string {
    return [...this.#entries]
      .map(([name, { entry }]) => `${name}@${entry.revision}`)
      .sort()
      .join();
  }

  get<Name extends KindName>(kind: Name, ...names: (string | undefined)[]): AccessEntry<RecordTypes[Name]> | null {
    const name = keyOfRecord(kind, names.filter((each) => each !== undefined) as string[]);
    return (this.#entries.get(name)?.entry as AccessEntry<RecordTypes[Name]> | undefined) ?? null;
  }

  list<Name extends KindName>(kind: Name): Iterable<AccessEntry<RecordTypes[Name]>> {
    const all = [...this.#entries.values()].filter((each) => each.kind === kind);
    return all.map(({ entry }) => entry as AccessEntry<RecordTypes[Name]>);
  }

  onChange(): () => void {
    return () => undefined;
  }
}
