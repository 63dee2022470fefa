import { adviserFor, type Advise } from '../advise.js';
import { CliError, EXIT, isUmbraError, usage } from '../exit-code.js';
import { recordsOf, type Kept, type Records } from '../records.js';
import type { Session } from '../session.js';

/** A policy as the service shows it. */
export interface PolicyView {
  readonly policy: string;
  readonly document: Readonly<Record<string, unknown>>;
  readonly notes: readonly string[];
  /** The one that counts. */
  readonly version: number;
  readonly versions: readonly { readonly version: number; readonly createdAt: string; readonly createdBy: string }[];
  readonly builtIn: boolean;
}

/** The policies of a tenant. */
export class Policies {
  private constructor(
    private readonly records: Records,
    private readonly advise: Advise,
  ) {}

  /** @throws CliError, UmbraError */
  static async of(session: Session, options: Readonly<Record<string, unknown>>): Promise<Policies> {
    const tenant = options['tenant'] as string | undefined;
    return new Policies(await recordsOf(session, tenant), adviserFor(session.options, tenant));
  }

  /** With the built-in ones. @throws CliError, UmbraError */
  list(): AsyncGenerator<PolicyView, void, undefined> {
    return this.records.list<PolicyView>(['policies'], 'policies');
  }

  /** @returns null if there is none. @throws CliError, UmbraError */
  find(policy: string): Promise<Kept<PolicyView> | null> {
    return this.records.get<PolicyView>(['policies', policy]);
  }

  /** @throws CliError if there is none; UmbraError */
  async get(policy: string): Promise<Kept<PolicyView>> {
    const found = await this.find(policy);
    if (!found)
      throw new CliError(EXIT.notFound, `there is no policy ${policy}: see \`${this.advise('policy', 'list')}\``);
    return found;
  }

  /** One that can be changed. @throws CliError if it is built in; UmbraError */
  async changeable(policy: string): Promise<Kept<PolicyView> | null> {
    const found = await this.find(policy);
    if (found?.record.builtIn) throw usage(`${policy} is built in and cannot be changed`);
    return found;
  }

  /**
   * @param document as its author wrote it
   * @param etag null: there must be none yet
   * @throws CliError, UmbraError
   */
  async put(policy: string, document: string, etag: string | null): Promise<PolicyView> {
    return (await this.records.put<PolicyView>(['policies', policy], document, etag)).record;
  }

  /** @throws CliError, UmbraError */
  async rollback(policy: string, version: number, etag: string | null): Promise<PolicyView> {
    return (await this.records.post<PolicyView>(['policies', policy, 'rollback'], { version }, etag)).record;
  }

  /** @throws CliError, UmbraError */
  remove(policy: string, etag: string | null): Promise<void> {
    return this.records.remove(['policies', policy], etag);
  }

  /** @throws CliError, UmbraError */
  async explain<T>(question: object): Promise<T> {
    try {
      return (await this.records.post<T>(['policies', 'explain'], question)).record;
    } catch (error) {
      // A question changes nothing, also if its answer is lost.
      throw isUmbraError(error) ? error.withOutcome('not-applied') : error;
    }
  }
}
