import type { Connection } from '../mqtt/built-in/connections/connection.js';
import type { Session, SessionEnd } from './next-record.js';
import type { ClientName, Stored } from '../store/presence-record.js';

/** What is asked of a connection. */
export type Heard = Pick<Connection, 'isOpen' | 'since'>;

/** The newest connection of a client to this node, and how far its record is. */
export class LocalSession implements Session {
  readonly id: string;
  readonly instance: string;
  readonly principal: string;
  readonly address: string;
  readonly since: number;
  end: SessionEnd | null = null;
  isRecorded = false;
  /** What this node has stored for the client last, which the watch may not have told yet; null: nothing. */
  stored: Stored | null = null;
  /** When another node has recorded another connection of the client, on the clock of connections; null: none has since. */
  overruledAt: number | null = null;

  constructor(
    readonly key: string,
    /** null: it is of a record that no connection belongs to. */
    readonly connection: Heard | null,
    session: Omit<Session, 'end' | 'isRecorded'>,
  ) {
    this.id = session.id;
    this.instance = session.instance;
    this.principal = session.principal;
    this.address = session.address;
    this.since = session.since;
  }
}

/** A connection of a client whose principal is known. */
export type ClientConnection = Heard & Pick<Connection, 'clientId' | 'principal' | 'address'>;

/** No errors. */
export const clientOf = ({ clientId, principal: { tenant } }: ClientConnection): ClientName => ({ tenant, clientId });
