import type { Command } from 'commander';
import type { Answer, Query, Umbra } from '../sdk/index.js';
import { CliError, EXIT, isUmbraError } from './exit-code.js';
import type { Session } from './session.js';

/** A record as the service has it. */
export interface Kept<T> {
  readonly record: T;
  /** What a change of just this state names; null: it cannot be changed. */
  readonly etag: string | null;
}

/** Names below `/v1/`, such as `policies` and the name of one. */
export type RecordPath = readonly string[];

/** Adds the option by which an administrator names another tenant. No errors. */
export const tenantOption = (command: Command): Command =>
  command.option('--tenant <tenant>', 'whose; that of the context, or else of the credential, by default');

/**
 * The records of one tenant, or of the service.
 * @param tenant as it was given with the command
 * @throws CliError, UmbraError
 */
export async function recordsOf(session: Session, tenant?: string): Promise<Records> {
  const of = tenant ?? (await session.context()).tenant;
  return new Records(await session.umbra(), of ?? null, session.around.signal);
}

/** The records of the whole service, such as its tenants. @throws CliError, UmbraError */
export async function serviceRecordsOf(session: Session): Promise<Records> {
  return new Records(await session.umbra(), null, session.around.signal);
}

/** Reads and changes what an administrator keeps: policies, principals and so on. */
export class Records {
  /** @param tenant null: that of the credential */
  constructor(
    private readonly umbra: Umbra,
    private readonly tenant: string | null,
    private readonly signal: AbortSignal,
  ) {}

  /** @throws CliError, UmbraError no-record if there is none */
  async need<T>(path: RecordPath): Promise<Kept<T>> {
    return keptIn<T>(await this.#call({ path }));
  }

  /** @returns null if there is none. @throws CliError, UmbraError */
  async get<T>(path: RecordPath): Promise<Kept<T> | null> {
    try {
      return await this.need<T>(path);
    } catch (error) {
      if (isUmbraError(error) && error.code === 'no-record') return null;
      throw error;
    }
  }

  /**
   * Stores a record: a new one, or in the place of the state that `etag` names.
   * @param body sent as JSON, a text as it is
   * @param etag null: there must be none yet; undefined: any, for what may be repeated
   * @throws CliError, UmbraError
   */
  async put<T>(path: RecordPath, body: unknown, etag: string | null | undefined): Promise<Kept<T>> {
    const headers: Record<string, string> = etag === null ? { 'if-none-match': '*' } : matching(etag);
    return keptIn<T>(await this.#call({ method: 'PUT', path, body, headers }));
  }

  /** @param etag of the state that it is about; undefined: any. @throws CliError, UmbraError */
  async post<T>(path: RecordPath, body: unknown, etag?: string | null): Promise<Kept<T>> {
    return keptIn<T>(await this.#call({ method: 'POST', path, body, headers: matching(etag) }));
  }

  /** @param etag of the state that is removed; undefined: any. @throws CliError, UmbraError */
  async remove(path: RecordPath, etag?: string | null): Promise<void> {
    await this.#call({ method: 'DELETE', path, headers: matching(etag) });
  }

  /**
   * All records of a list, page by page.
   * @param member of each page that has them
   * @throws CliError, UmbraError
   */
  async *list<T>(path: RecordPath, member: string, query: Query = {}): AsyncGenerator<T, void, undefined> {
    let after: string | undefined;
    do {
      const { text } = await this.#call({ path, query: { limit: 100, ...query, after } });
      const page = JSON.parse(text) as Record<string, unknown>;
      yield* page[member] as T[];
      after = page['next'] as string | undefined;
    } while (after !== undefined);
  }

  async #call(parts: Parts): Promise<Answer> {
    const { path, ...more } = parts;
    const begin = this.tenant === null ? [] : ['tenants', this.tenant];
    const name = ['/v1', ...[...begin, ...path].map(encodeURIComponent)].join('/');
    try {
      return await this.umbra.call({ ...more, path: name, idempotencyKey: null, signal: this.signal });
    } catch (error) {
      if (isUmbraError(error) && error.code === 'no-route')
        throw new CliError(EXIT.notFound, `the service has no ${name}: it may serve everybody, without credentials`);
      throw error;
    }
  }
}

interface Parts {
  readonly path: RecordPath;
  readonly method?: 'PUT' | 'POST' | 'DELETE';
  readonly query?: Query;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

const matching = (etag: string | null | undefined): Record<string, string> =>
  etag === undefined || etag === null ? {} : { 'if-match': etag };

const keptIn = <T>({ text, headers }: Answer): Kept<T> => ({
  record: (text === '' ? null : JSON.parse(text)) as T,
  etag: headers.get('etag'),
});
