import { readFileSync } from 'node:fs';
import { ConfigError } from '../config/config-error.js';

/** RFC 6750 section 2.1, with a length that nobody guesses. */
const TOKEN = /^[A-Za-z0-9._~+/-]{16,512}=*$/;

/** The token in a file. @throws ConfigError */
export function readMetricsToken(path: string): string {
  let token: string;
  try {
    token = readFileSync(path, 'utf8').trim();
  } catch (error) {
    // Without the path, because some people put the token itself there.
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw bad(`names a file that cannot be read (${code}); give the path of a file that this user may read`);
  }
  if (TOKEN.test(token)) return token;
  throw bad(
    'names a file that holds no token of 16 to 512 letters, digits and "-._~+/"; make one with  openssl rand -hex 32',
  );
}

const bad = (problem: string): ConfigError => new ConfigError([{ variable: 'UMBRA_METRICS_TOKEN', problem }]);
