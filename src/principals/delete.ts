import { Inject, Injectable } from '@nestjs/common';
import { ACCESS_WRITER, type AccessWriter, type RecordChange } from '../directory/access-writer.js';
import { Administration, type Expected } from '../directory/administration.js';

/** Keys that go with one principal in one commit; the others go before it. */
const AT_ONCE = 40;

/** Deletes principals with their keys: a later principal of the same name must not inherit them. */
@Injectable()
export class DeletePrincipal {
  constructor(
    private readonly administration: Administration,
    @Inject(ACCESS_WRITER) private readonly writer: AccessWriter,
  ) {}

  /** @throws ServiceError noRecord, preconditionFailed, storageUnavailable, draining */
  async delete(names: readonly [string, string], expected: Expected): Promise<void> {
    const { revision } = this.administration.get('principal', names);
    const { directory } = this.administration;
    for (;;) {
      const keys = [...directory.keysOf(...names)].flatMap((id): RecordChange[] => {
        const key = directory.get('key', id);
        return key === null ? [] : [{ kind: 'key', names: [id], record: null, expected: key.revision }];
      });
      const isLast = keys.length <= AT_ONCE;
      const principal: RecordChange = { kind: 'principal', names, record: null, expected: expected ?? revision };
      await this.writer.commit(isLast ? [...keys, principal] : keys.slice(0, AT_ONCE));
      if (isLast) return;
    }
  }
}
