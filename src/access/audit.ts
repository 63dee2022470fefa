/** How it ended: `failed` was allowed, and could not be done. */
export type AuditOutcome = 'done' | 'refused' | 'failed';

/** As whom the caller is known. */
export interface AuditActor {
  readonly id: string;
  readonly tenant: string;
  /** Id of what it showed, never the secret. */
  readonly credential?: string | undefined;
}

/** Who did what, or was refused. Never a secret, and nothing of a document. */
export interface AuditEvent {
  /** An action of a route, or one of those that no policy names: `mqtt:…`, `token:…`, `administrator:create`. */
  readonly action: string;
  /** null: the caller is not known. */
  readonly actor: AuditActor | null;
  /** Whose audit it belongs to, beside that of its actor; null: of no tenant. */
  readonly tenant: string | null;
  /** A path without its query, a topic, a filter, or `client/` with a client identifier. */
  readonly target: string;
  /** IP address of the caller; empty: the node itself. */
  readonly address: string;
  readonly outcome: AuditOutcome;
  /** `AUTH_nnn`, or a row of the error table; null: it is done. */
  readonly code: string | null;
  readonly requestId?: string | undefined;
  readonly clientId?: string | undefined;
  /** Clients do it all day: it must not drive out what people do. */
  readonly isRoutine?: true;
}

/** A caller that is known, without what its policies are decided by. No errors. */
export function actorOf({ id, tenant, credential }: AuditActor): AuditActor {
  return { id, tenant, credential };
}

/** Keeps what was done and what was refused. It never throws, and nobody waits for it. */
export interface Audit {
  record(event: AuditEvent): void;
}

/** Injection token of the Audit. */
export const AUDIT = Symbol('Audit');

/** A node without authentication refuses nothing, and has nobody who could be named. */
export const NO_AUDIT: Audit = { record: () => undefined };
