import { Inject, Injectable } from '@nestjs/common';
import { ACCESS_WRITER, type AccessWriter } from '../directory/access-writer.js';
import { Administration, type Expected } from '../directory/administration.js';
import { deleteKeys } from './keys-of-principal.js';

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
    const keys = await deleteKeys(this.administration.directory, this.writer, names);
    await this.writer.commit([...keys, { kind: 'principal', names, record: null, expected: expected ?? revision }]);
  }
}
