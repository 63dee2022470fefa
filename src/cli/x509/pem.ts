import { X509Certificate } from 'node:crypto';
import { usage } from '../exit-code.js';
import { nameOf, placeIn } from '../json-file.js';

const BEGIN = /-----BEGIN ([A-Z0-9 ]+)-----/;

/**
 * The bytes of the one block of a PEM text (RFC 7468).
 * @param label such as CERTIFICATE
 * @throws CliError with the place of what is wrong
 */
export function bytesOfPem(text: string, file: string, label: string): Buffer {
  const at = (offset: number): string => placeIn(nameOf(file), text, offset);
  const found = BEGIN.exec(text);
  if (found === null) throw usage(`${at(0)}: there is no ${label} in PEM`);
  if (found[1] !== label) throw usage(`${at(found.index)}: this is a ${found[1]}, and a ${label} is wanted`);
  const begin = found.index + found[0].length;
  const end = text.indexOf(`-----END ${label}-----`, begin);
  if (end === -1) throw usage(`${at(begin)}: the ${label} has no end`);
  const second = BEGIN.exec(text.slice(end));
  if (second !== null) throw usage(`${at(end + second.index)}: there is more than one block; give the ${label} alone`);
  const body = text.slice(begin, end);
  const wrong = /[^A-Za-z0-9+/=\s]/.exec(body);
  if (wrong !== null) throw usage(`${at(begin + wrong.index)}: this is no character of base64`);
  return Buffer.from(body, 'base64');
}

/** A certificate from PEM. @throws CliError with its place */
export function certificateIn(text: string, file: string): X509Certificate {
  const bytes = bytesOfPem(text, file, 'CERTIFICATE');
  try {
    return new X509Certificate(bytes);
  } catch {
    throw usage(`${placeIn(nameOf(file), text, text.indexOf('-----BEGIN'))}: this is no certificate`);
  }
}

/** No errors. */
export function pemOf(bytes: Uint8Array, label: string): string {
  const lines =
    Buffer.from(bytes)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
