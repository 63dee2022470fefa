import { createPublicKey, X509Certificate } from 'node:crypto';
import { usage } from '../exit-code.js';
import { textOf } from '../json-file.js';
import { writeFiles } from '../secret-file.js';
import type { Run, Session } from '../session.js';
import { issue, type Issuer } from '../x509/certificates.js';
import { certificateIn } from '../x509/pem.js';
import { newKey, pemOfKey, readKey } from '../x509/signing-key.js';

interface CreateGiven {
  readonly name: string;
  readonly organization?: string;
  readonly out: string;
  readonly keyOut: string;
  readonly force?: true;
  readonly days: number;
}

/** The options by which an authority on this machine is named. */
export interface AuthorityGiven {
  readonly ca: string;
  readonly caKey: string;
  readonly passphraseFile?: string;
}

/** Characters of a common name and of an organization (RFC 5280, appendix A). */
const MAX_NAME = 64;

/** An issuer needs a name (RFC 5280 4.1.2.4). @throws CliError */
function checkName(what: string, text: string): void {
  const { length } = [...text];
  if (text.trim() === '' || length > MAX_NAME)
    throw usage(`${what} has 1 to ${MAX_NAME} characters, of which not all are blanks; this one has ${length}`);
}

/** What is told of a certificate. No errors. */
export const factsOf = (pem: string) => {
  const certificate = new X509Certificate(pem);
  return {
    sha256: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    notAfter: new Date(certificate.validTo).toISOString(),
  };
};

/** The authority with its key. @throws CliError, also if they are not of each other */
export async function localAuthority(session: Session, given: AuthorityGiven): Promise<Issuer> {
  const { ca, caKey, passphraseFile } = given;
  const certificate = certificateIn(await textOf(ca, session.around), ca);
  const key = await readKey(session, caKey, passphraseFile);
  if (!certificate.checkPrivateKey(key.key)) throw usage(`${caKey} is not the private key of ${ca}`);
  return { certificate, key };
}

/** `ca create`. @throws CliError */
export const create: Run = async ({ out }, _, options) => {
  const { name, organization, out: file, keyOut, force, days } = options as unknown as CreateGiven;
  checkName('the name of an authority', name);
  if (organization !== undefined) checkName('an organization', organization);
  const key = newKey();
  const wanted = { commonName: name, organization, days, isAuthority: true };
  const pem = await issue(wanted, createPublicKey(key.key), { own: key });
  await writeFiles(
    [
      { path: keyOut, readers: 'owner', text: pemOfKey(key) },
      { path: file, readers: 'everybody', text: pem },
    ],
    force,
  );
  const { sha256, notAfter } = factsOf(pem);
  await out.say(
    { authority: sha256, file, key: keyOut, notAfter },
    `the authority ${sha256} is in ${file}, its key in ${keyOut}; it ends at ${notAfter}`,
  );
};

/** `ca prove`. @throws CliError */
export const prove: Run = async (session, [code = ''], options) => {
  const { out, force } = options as { out: string; force?: true };
  checkName('a code', code);
  const issuer = await localAuthority(session, options as unknown as AuthorityGiven);
  const pem = await issue({ commonName: code, days: 1 }, createPublicKey(newKey().key), issuer);
  await writeFiles([{ path: out, readers: 'everybody', text: pem }], force);
  await session.out.say({ code, file: out }, `the proof is in ${out}; it is good for a day`);
};
