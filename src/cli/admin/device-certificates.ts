import { createPublicKey } from 'node:crypto';
import { usage } from '../exit-code.js';
import { textOf } from '../json-file.js';
import { writeFiles, type NewFile } from '../secret-file.js';
import type { Run } from '../session.js';
import { issue, keyOfRequest, requestFor, type NameFrom } from '../x509/certificates.js';
import { newKey, pemOfKey } from '../x509/signing-key.js';
import { factsOf, localAuthority, type AuthorityGiven } from './local-authority.js';

interface CertGiven extends AuthorityGiven {
  readonly out: string;
  readonly keyOut?: string;
  readonly csr?: string;
  readonly force?: true;
  readonly days: number;
  readonly nameFrom: NameFrom;
}

/** What the service takes as the name of a thing. */
const THING = /^[a-zA-Z0-9:_-]{1,128}$/;
/** Characters of a common name (RFC 5280, appendix A). */
const MAX_COMMON_NAME = 64;

/** @throws CliError */
function checkName(thing: string, nameFrom: NameFrom): void {
  if (!THING.test(thing)) throw usage('the name of a thing has 1 to 128 letters, digits and : _ -');
  if (nameFrom === 'commonName' && thing.length > MAX_COMMON_NAME)
    throw usage(`a common name has ${MAX_COMMON_NAME} characters at most: use --name-from dnsName or uri`);
}

/** `device cert`. @throws CliError */
export const issueFor: Run = async (session, [thing = ''], options) => {
  const given = options as unknown as CertGiven;
  const { out, keyOut, csr, days, nameFrom, force } = given;
  if ((keyOut === undefined) === (csr === undefined)) throw usage('give --key-out FILE for a new key, or --csr FILE');
  checkName(thing, nameFrom);
  const own = csr === undefined ? newKey() : null;
  const publicKey = own
    ? createPublicKey(own.key)
    : await keyOfRequest(await textOf(csr!, session.around), csr!, thing);
  const wanted =
    nameFrom === 'commonName'
      ? { commonName: thing, days }
      : { commonName: '', days, alternativeName: { kind: nameFrom, name: thing } };
  const pem = await issue(wanted, publicKey, await localAuthority(session, given));
  const keyFile: NewFile[] = own ? [{ path: keyOut!, readers: 'owner', text: pemOfKey(own) }] : [];
  await writeFiles([...keyFile, { path: out, readers: 'everybody', text: pem }], force);
  const { sha256, notAfter } = factsOf(pem);
  await session.out.say(
    { thing, certificate: sha256, file: out, key: keyOut ?? null, notAfter },
    `the certificate ${sha256} of ${thing} is in ${out}${own ? `, its key in ${keyOut}` : ''}; it ends at ${notAfter}`,
  );
};

/** `device csr`. @throws CliError */
export const request: Run = async (session, [thing = ''], options) => {
  const { out, keyOut, force } = options as unknown as { out: string; keyOut: string; force?: true };
  checkName(thing, 'commonName');
  const key = newKey();
  const files: NewFile[] = [
    { path: keyOut, readers: 'owner', text: pemOfKey(key) },
    { path: out, readers: 'everybody', text: await requestFor(thing, key) },
  ];
  await writeFiles(files, force);
  await session.out.say(
    { thing, file: out, key: keyOut },
    `the request of ${thing} is in ${out}, its key in ${keyOut}`,
  );
};
