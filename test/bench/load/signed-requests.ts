import { signRequest } from '../../harness/aws-signer.js';
import { HOST, type Showing } from './http-connection.js';

/** An access key of the service. */
export interface AccessKey {
  readonly id: string;
  readonly secret: string;
}

interface Signed {
  readonly date: string;
  readonly lines: string;
}

/**
 * Signs requests without a body as the AWS CLI does: host and date. Each request is signed once a second and sent many
 * times, so that the load pays as little for it as for other credentials; the node checks it anew each time.
 */
export function signing(key: AccessKey): Showing {
  const known = new Map<string, Signed>();
  return (method, path) => {
    const date = `${new Date().toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
    const name = `${method} ${path}`;
    const before = known.get(name);
    if (before?.date === date) return before.lines;
    const { headers } = signRequest({ method, path, headers: { host: HOST } }, { ...key, date });
    let lines = '';
    for (let at = 0; at < headers.length; at += 2)
      if (headers[at] !== 'host') lines += `${headers[at]}: ${headers[at + 1]}\r\n`;
    known.set(name, { date, lines });
    return lines;
  };
}
