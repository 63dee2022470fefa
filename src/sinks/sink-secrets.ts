import type { SinkRecord } from '../directory/records/sink-record.js';
import type { JsonObject } from '../document/shadow-document.js';

/** Seals secrets under the master key of the nodes. */
export interface SecretBox {
  /** @throws RangeError for a secret that is too long */
  seal(secret: string, owner: string): string;
  /** @throws Error for a text that was not sealed for this owner under this master key */
  open(sealed: string, owner: string): Buffer;
}

/** The secrets of sinks as their records hold them: bound to the sink, so that no other record can use them. */
export class SinkSecrets {
  constructor(private readonly box: SecretBox) {}

  /** Null: there are none. @throws RangeError for secrets that are too long */
  seal({ tenant, name, id }: Pick<SinkRecord, 'tenant' | 'name' | 'id'>, secrets: JsonObject): string | null {
    if (Object.keys(secrets).length === 0) return null;
    return this.box.seal(JSON.stringify(secrets), `${tenant}/${name}/${id}`);
  }

  /** @throws Error when they were sealed under another master key, or for another sink */
  read({ tenant, name, id, sealedSecrets }: SinkRecord): JsonObject {
    if (sealedSecrets === null) return {};
    return JSON.parse(this.box.open(sealedSecrets, `${tenant}/${name}/${id}`).toString()) as JsonObject;
  }
}
