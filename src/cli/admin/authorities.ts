import { createPublicKey, X509Certificate } from 'node:crypto';
import { CliError, EXIT, isUmbraError, usage } from '../exit-code.js';
import { nameOf, textOf } from '../json-file.js';
import type { Output } from '../output.js';
import { recordsOf, type RecordPath, type Records } from '../records.js';
import type { Run } from '../session.js';
import { issue, type NameFrom } from '../x509/certificates.js';
import { certificateIn } from '../x509/pem.js';
import { newKey, readKey } from '../x509/signing-key.js';
import { fingerprintOf } from './revocations.js';

/** An authority as the service shows it. */
interface Authority {
  readonly authority: string;
  readonly pem: string;
  readonly key: string | null;
  readonly notAfter: string | null;
  readonly nameFrom: NameFrom;
  readonly disabled: boolean;
  readonly registersAtFirstSight: boolean;
  readonly policies: readonly string[];
  readonly createdAt: string;
  readonly fault: string | null;
}

interface Given {
  readonly tenant?: string;
  readonly caKey?: string;
  readonly passphraseFile?: string;
  readonly proof?: string;
  readonly nameFrom?: NameFrom;
  readonly firstSight?: boolean;
  readonly policy?: readonly string[] | false;
  readonly disable?: true;
  readonly enable?: true;
}

/** What a refusal without a proof has in its text. */
const CODE = /umbra\.authority\.[0-9a-f]+/;

const of = (id: string): RecordPath => ['authorities', id];

/** `ca list`. @throws CliError, UmbraError */
export const list: Run = async (session, _, options) => {
  const records = await recordsOf(session, (options as Given).tenant);
  const head = ['AUTHORITY', 'NAME', 'ENDS', 'STATE'];
  await session.out.stream(records.list<Authority>(['authorities'], 'authorities'), head, (each) => [
    ...[each.authority, subjectOf(each), each.notAfter ?? '', stateOf(each)],
  ]);
};

/** `ca show`. @throws CliError, UmbraError */
export const show: Run = async (session, [given = ''], options) => {
  const id = await fingerprintOf(given, session);
  const { record } = await (await recordsOf(session, (options as Given).tenant)).need<Authority>(of(id));
  await say(session.out, record);
};

/** `ca register`. @throws CliError, UmbraError */
export const register: Run = async (session, [file = ''], options) => {
  const given = options as Given;
  const text = await textOf(file, session.around);
  const certificate = certificateIn(text, file);
  const id = certificate.fingerprint256.replaceAll(':', '').toLowerCase();
  const proof = given.proof === undefined ? undefined : await textOf(given.proof, session.around);
  if (proof !== undefined) certificateIn(proof, given.proof ?? '');
  const key = given.caKey === undefined ? undefined : await readKey(session, given.caKey, given.passphraseFile);
  if (proof !== undefined && key !== undefined) throw usage('give --ca-key or --proof, not both');
  if (key && !certificate.checkPrivateKey(key.key))
    throw usage(`${nameOf(given.caKey ?? '')} is not the private key of ${nameOf(file)}`);
  const records = await recordsOf(session, given.tenant);
  const body = { pem: certificate.toString(), ...membersOf(given) };
  const made =
    proof ??
    (await issue(
      { commonName: await codeOf(records, id, body, key !== undefined), days: 1 },
      createPublicKey(newKey().key),
      { certificate, key: key! },
    ));
  const { record } = await records.put<Authority>(of(id), { ...body, proof: made }, null);
  await say(session.out, record);
};

/** What the authority has to sign, which the service says when the proof is missing. */
async function codeOf(records: Records, id: string, body: object, hasKey: boolean): Promise<string> {
  const refusal = await records.put(of(id), body, null).then(
    () => null,
    (error: unknown) => error,
  );
  const [code] = (isUmbraError(refusal) && refusal.status === 400 && CODE.exec(refusal.message)) || [];
  if (code === undefined)
    throw (refusal as Error | null) ?? new CliError(EXIT.failed, 'the service has asked for no proof');
  if (hasKey) return code;
  const how = `give --ca-key FILE; or on the machine that has it run \`umbra ca prove ${code} --ca CERTIFICATE --ca-key KEY --out proof.pem\``;
  throw new CliError(
    EXIT.failed,
    `prove that the key of the authority is yours: ${how}, and give --proof proof.pem here`,
  );
}

/** `ca update`. @throws CliError, UmbraError */
export const update: Run = async (session, [authority = ''], options) => {
  const given = options as Given;
  const members = membersOf(given);
  if (Object.keys(members).length === 0) throw usage('give what is to be changed, such as --first-sight');
  const id = await fingerprintOf(authority, session);
  const records = await recordsOf(session, given.tenant);
  const { record: now, etag } = await records.need<Authority>(of(id));
  const { nameFrom, disabled, registersAtFirstSight, policies } = now;
  const body = { nameFrom, disabled, registersAtFirstSight, policies, ...members };
  await say(session.out, (await records.put<Authority>(of(id), body, etag)).record);
};

/** `ca remove`. @throws CliError, UmbraError */
export const remove: Run = async (session, [given = ''], options) => {
  const id = await fingerprintOf(given, session);
  await session.confirm(`Remove the authority ${id}? Connections of its devices end.`);
  await (await recordsOf(session, (options as Given).tenant)).remove(of(id));
  await session.out.say({ authority: id, deleted: true }, `the authority ${id} is removed`);
};

function membersOf({ nameFrom, firstSight, policy, disable, enable }: Given): Partial<Authority> {
  if (disable && enable) throw usage('give --disable or --enable, not both');
  return {
    ...(nameFrom !== undefined && { nameFrom }),
    ...(firstSight !== undefined && { registersAtFirstSight: firstSight }),
    ...(policy !== undefined && { policies: policy || [] }),
    ...((disable ?? enable) && { disabled: disable === true }),
  };
}

const stateOf = ({ disabled, fault }: Authority): string => (disabled ? 'disabled' : (fault ?? 'enabled'));

function subjectOf({ pem }: Authority): string {
  try {
    return new X509Certificate(pem).subject.replaceAll('\n', ', ');
  } catch {
    return '';
  }
}

const say = (out: Output, each: Authority): Promise<void> =>
  out.fields(each, [
    ['authority', each.authority],
    ['name', subjectOf(each)],
    ['state', stateOf(each)],
    ['ends', each.notAfter],
    ['key', each.key],
    ['name from', each.nameFrom],
    ['first sight', each.registersAtFirstSight ? 'creates the device' : 'refuses the device'],
    ['policies', each.policies.join(', ')],
    ['created', each.createdAt],
  ]);
