import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MASTER_KEY_BYTES } from './sealed-secret.js';

const NAME = 'master.key';

/** The file of the master key is missing, or holds none. The message names the file and what to do. */
export class MasterKeyError extends Error {
  override readonly name = 'MasterKeyError';
}

/**
 * The master key of a cluster: 32 bytes, as 64 digits of hexadecimal in a file.
 * @param file null: that of `dataDir`, which is made at the first start
 * @throws MasterKeyError
 */
export function openMasterKey(file: string | null, dataDir: string): Uint8Array {
  return file === null ? ownKey(dataDir) : readKey(file);
}

function ownKey(dataDir: string): Buffer {
  const file = join(dataDir, NAME);
  try {
    mkdirSync(dataDir, { recursive: true });
    // Fails when it is there, so no two starts make two.
    writeFileSync(file, `${randomBytes(MASTER_KEY_BYTES).toString('hex')}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST')
      throw new MasterKeyError(`The master key ${file} cannot be made (${(error as NodeJS.ErrnoException).code})`);
  }
  return readKey(file);
}

function readKey(file: string): Buffer {
  let text: string;
  try {
    text = readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new MasterKeyError(`The master key ${file} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, 'hex');
  throw new MasterKeyError(`${file} holds no master key; make one with  openssl rand -hex 32 > ${file}`);
}
