import type { Client } from 'aedes';
import { ANONYMOUS, type Principal } from '../../access/principal.js';
import type { AedesClient } from './aedes/aedes-parts.js';
import { RequestQueue } from '../request-queue.js';

const CONNECTION = Symbol('connection');

/** What the door knows of one connection beside what aedes knows. */
export class Connection {
  /** Set by `authenticate`. */
  principal: Principal = ANONYMOUS;
  /** There are too many connections: `authenticate` refuses this one. */
  isRefused = false;
  readonly requests = new RequestQueue();
  /** Bytes given to aedes in this turn of the loop, which has not written them yet. */
  unwrittenBytes = 0;
  /** A session's backlog is being sent; other messages wait until all of it is sent. */
  replaying = false;
  /** Being ended by us: nothing more is sent to it. */
  cutOff = false;
  /**
   * Topics whose current delta was asked for, with the revision of the newest delta sent (0: none yet); null when
   * nothing was. Keeps an older delta from following a newer one.
   */
  deltaRevisions: Map<string, number> | null = null;
}

export function attachConnection(client: Client): Connection {
  const connection = new Connection();
  (client as Client & { [CONNECTION]?: Connection })[CONNECTION] = connection;
  return connection;
}

/** Every client that came through `MqttBroker.accept` has one. */
export function connectionOf(client: Client | AedesClient): Connection {
  return (client as Client & { [CONNECTION]: Connection })[CONNECTION];
}

/** Ends a connection for a reason that MQTT 5 can name; older versions are just closed. */
export function endConnection(client: AedesClient, reasonCode: number, reason: string): void {
  const connection = connectionOf(client);
  if (connection.cutOff) return;
  connection.cutOff = true;
  // On a full socket a DISCONNECT would wait for a peer that does not read.
  if (client.version === 5 && !client.conn.writableNeedDrain) client.disconnect({ reasonCode });
  else client.conn.destroy(new Error(reason));
}

/** MQTT 5 reason codes (MQTT-2.4). */
export const REASON = { unspecified: 0x80, quotaExceeded: 0x97, qosNotSupported: 0x9b } as const;
