import { execFile } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Paths of a PEM certificate and its key. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** A certificate authority of one test, in a temporary folder. */
export interface Authority {
  /** Path of the authority's certificate. */
  readonly ca: string;
  /** For localhost and 127.0.0.1. */
  readonly server: KeyPair;
  /** A client certificate with the given common name. */
  client(commonName: string): Promise<KeyPair>;
  remove(): Promise<void>;
}

/** The SHA-256 of the key of a certificate, in base64. @param path of its PEM */
export function pinOf(path: string): string {
  const { publicKey } = new X509Certificate(readFileSync(path));
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64');
}

export async function createAuthority(): Promise<Authority> {
  const folder = await mkdtemp(join(tmpdir(), 'umbra-certificates-'));
  const ca = join(folder, 'ca.crt');
  const caKey = join(folder, 'ca.key');
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  await run('openssl', [
    ...['req', '-x509', '-days', '2', '-subj', '/CN=Umbra test authority', '-keyout', caKey, '-out', ca],
    ...newKey,
    ...['-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign,cRLSign'],
  ]);
  let serial = 1;

  async function issue(name: string, subject: string, extensions: string): Promise<KeyPair> {
    const pair = { cert: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) };
    const request = join(folder, `${name}.csr`);
    const extensionFile = join(folder, `${name}.ext`);
    // RSA: the oldest of the clients takes no other keys.
    await run('openssl', [
      ...['req', '-newkey', 'rsa:2048', '-nodes', '-subj', subject, '-keyout', pair.key, '-out', request],
    ]);
    await writeFile(extensionFile, extensions);
    await run('openssl', [
      ...['x509', '-req', '-in', request, '-CA', ca, '-CAkey', caKey, '-days', '2', '-out', pair.cert],
      ...['-set_serial', String(serial++), '-extfile', extensionFile],
    ]);
    return pair;
  }

  const server = await issue(
    'server',
    '/CN=localhost',
    'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n',
  );
  return {
    ca,
    server,
    client: (name) => issue(`client-${serial}`, `/CN=${name}`, 'extendedKeyUsage=clientAuth\n'),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
