import { ServiceError } from '../../../errors/service-error.js';
import type { Logger } from '../../../telemetry/logger.js';
import { decodeRecord, type EtcdRecord } from '../codec.js';

/**
 * Decodes a value that must be a shadow record.
 * @throws ServiceError internal; the log names the key and the reason
 */
export function decodeStored(etcdKey: string, value: Buffer, logger: Logger): EtcdRecord {
  try {
    return decodeRecord(value);
  } catch (error) {
    logger.error({ key: etcdKey, err: error }, 'the value in etcd is not a shadow');
    throw new ServiceError('internal');
  }
}
