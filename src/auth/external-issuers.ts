import type { Breakers } from '../breakers/breakers.js';
import type { AccessDirectory } from '../directory/access-directory.js';
import type { AccessEntry } from '../directory/access-records.js';
import type { IssuerRecord } from '../directory/records/issuer-record.js';
import type { Clock } from '../resilience/clock.js';
import type { Health } from '../telemetry/health.js';
import type { Logger } from '../telemetry/logger.js';
import { reasonOf } from '../telemetry/reason.js';
import { identityOf } from './issuer-claims.js';
import { issuerDependency } from './issuer-dependency.js';
import { checkUrl } from './tokens/bounded-fetch.js';
import { externalIssuer } from './tokens/external-issuer.js';
import { IssuerKeys, type IssuerCall } from './tokens/issuer-keys.js';
import type { TrustedIssuer } from './tokens/trusted-issuer.js';

export interface ExternalIssuersParts {
  readonly directory: AccessDirectory;
  /** URL of this service as issuer, which nobody can register; null: it issues nothing. */
  readonly own: string | null;
  /** Names and addresses that issuers may have; empty: any. */
  readonly hosts: readonly string[];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly breakers: Pick<Breakers, 'of' | 'drop'>;
}

/** What has become of a registration. */
export interface IssuerState {
  /** Keys of the issuer that are in force; null: there are none. */
  readonly keys: number | null;
  /** Why its tokens are not accepted; null: they are, or it is disabled. */
  readonly fault: string | null;
}

interface Kept {
  readonly revision: number;
  /** Null: it is not used. */
  readonly issuer: TrustedIssuer | null;
  readonly fault: string | null;
}

/** What exactly another server answers, or whether there is one, is told to the operator of the node alone. */
const NO_KEYS = 'its keys could not be fetched yet; health and log of the node say why';

/** Injection token of the ExternalIssuers. */
export const EXTERNAL_ISSUERS = Symbol('ExternalIssuers');

/**
 * The issuers of all tenants, as the directory has them now. Keys are fetched once for each URL, from where its metadata
 * says: nobody can register other keys for the URL of somebody else.
 */
export class ExternalIssuers {
  /** By tenant and name. */
  #kept: ReadonlyMap<string, Kept> = new Map();
  #byUrl: ReadonlyMap<string, readonly TrustedIssuer[]> = new Map();
  readonly #keys = new Map<string, IssuerKeys>();
  #isClosed = false;

  constructor(private readonly parts: ExternalIssuersParts) {
    parts.directory.onChange((change) => {
      if (change === 'all' || change.kind === 'issuer') this.#read();
    });
  }

  /** Those whose tokens are accepted, by URL. */
  get trusted(): ReadonlyMap<string, readonly TrustedIssuer[]> {
    return this.#byUrl;
  }

  /** Why an issuer of this URL cannot be used; null: it can. No errors. */
  faultOf(url: string): string | null {
    const { own, hosts } = this.parts;
    if (url === own) return `${url} is this service, whose tokens are accepted already`;
    try {
      checkUrl(url);
    } catch (error) {
      return reasonOf(error);
    }
    const { hostname } = new URL(url);
    if (hosts.length === 0 || hosts.includes(hostname)) return null;
    return `${hostname} is not among the hosts that issuers may have (UMBRA_AUTH_ISSUER_HOSTS)`;
  }

  /** No errors. */
  stateOf({ tenant, name, url }: IssuerRecord): IssuerState {
    const kept = this.#kept.get(`${tenant}/${name}`);
    if (!kept?.issuer) return { keys: null, fault: kept?.fault ?? null };
    const keys = this.#keys.get(url)?.size ?? null;
    return { keys, fault: keys === null ? NO_KEYS : null };
  }

  /** Of all issuers. The node is ready without them: who has a key or a certificate does not need them. No errors. */
  get health(): Health {
    const all = [...this.#keys].map(([member, keys]) => ({ member, ...keys.health() }));
    const dead = all.filter(({ ok }) => !ok).length;
    const reason = dead === 0 ? `${all.length} issuers` : `${dead} of ${all.length} issuers have no keys to judge by`;
    return { ok: true, reason, members: all };
  }

  /** No errors. */
  close(): void {
    this.#isClosed = true;
    for (const keys of this.#keys.values()) keys.stop();
  }

  #read(): void {
    if (this.#isClosed) return;
    const entries = [...this.parts.directory.list('issuer')];
    const isUsed = ({ record, fault }: AccessEntry<IssuerRecord>): boolean =>
      fault === null && !record.isDisabled && this.faultOf(record.url) === null;
    this.#follow(new Set(entries.filter(isUsed).map(({ record }) => record.url)));
    const kept = new Map<string, Kept>();
    for (const entry of entries) kept.set(entry.names.join('/'), this.#keptOf(entry, isUsed(entry)));
    const byUrl = new Map<string, TrustedIssuer[]>();
    for (const { issuer } of kept.values()) {
      if (issuer !== null) byUrl.set(issuer.issuer, [...(byUrl.get(issuer.issuer) ?? []), issuer]);
    }
    this.#kept = kept;
    this.#byUrl = byUrl;
  }

  #keptOf(entry: AccessEntry<IssuerRecord>, isUsed: boolean): Kept {
    const { names, record, revision } = entry;
    const before = this.#kept.get(names.join('/'));
    const keys = this.#keys.get(record.url);
    // The same object as before, so that tokens which it has verified need not be verified anew.
    if (before?.revision === revision && (before.issuer !== null) === isUsed) return before;
    const fault = record.isDisabled ? entry.fault : (entry.fault ?? this.faultOf(record.url));
    if (!isUsed || keys === undefined) return { revision, issuer: null, fault };
    const { url: issuer, audiences, algorithms } = record;
    const identify = identityOf.bind(null, { record, revision });
    try {
      return { revision, issuer: externalIssuer({ issuer, audiences, algorithms, keys, identify }), fault };
    } catch (error) {
      return { revision, issuer: null, fault: reasonOf(error) };
    }
  }

  /** Has the keys of these URLs, and of no other. */
  #follow(urls: ReadonlySet<string>): void {
    for (const [url, keys] of this.#keys) {
      if (urls.has(url)) continue;
      keys.stop();
      this.#keys.delete(url);
      this.parts.breakers.drop(issuerDependency(url));
    }
    const { clock, logger, breakers } = this.parts;
    const call: IssuerCall = (issuer, request) => breakers.of(issuerDependency(issuer)).run(request);
    for (const issuer of urls) {
      if (this.#keys.has(issuer)) continue;
      const keys = new IssuerKeys({ issuer, jwksUri: null, clock, logger, call });
      this.#keys.set(issuer, keys);
      void keys.start();
    }
  }
}
