import { escapedPath } from './percent-encoding.js';
import { malformed, type SignatureFault } from './signature-fault.js';

const VISIBLE = /^\/[\x21-\x7e]*$/;
/** An empty segment, `.` or `..`. Signers leave them out, so that several paths would have one signature. */
const UNRESOLVED = /\/(?:\/|\.\.?(?:\/|$))/;

/**
 * The path as clients of AWS IoT sign it: escaped a second time, since all services but S3 do so. A path that is escaped
 * once only is not tried: `/a%2Fb` signed that way would also be a signature of `/a/b` signed the other way.
 * @param rawPath as it was sent, without the query
 */
export function canonicalPath(rawPath: string): string | SignatureFault {
  if (!VISIBLE.test(rawPath))
    return malformed('The path must begin with / and escape all but visible ASCII characters');
  if (UNRESOLVED.test(rawPath)) return malformed('A signed path may have no empty, . or .. segment: send it resolved');
  return escapedPath(rawPath);
}
