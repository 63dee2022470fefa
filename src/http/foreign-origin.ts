import type { IncomingHttpHeaders } from 'node:http';
import { isLoopback } from '../config/loopback.js';

/**
 * Whether a browser sent the request for a page of another site. Such a page cannot read our answers, because they have
 * no CORS headers. But a browser sends plain POSTs and opens WebSockets for every page, and a browser on this machine
 * connects from loopback, like every trusted client. Other programs send no Origin. The port is not compared: a server
 * on the same host is trusted like this one.
 */
export function isForeignOrigin(headers: IncomingHttpHeaders): boolean {
  const { origin } = headers;
  if (origin === undefined) return false;
  const from = hostNameOf(origin);
  // A proxy puts the name that the browser used into the second header. A page can set it only after a CORS preflight.
  const own = [headers.host, headers['x-forwarded-host']].flat().map((host) => hostNameOf(`http://${host ?? ''}`));
  if (from === null) return true;
  return !own.some((name) => name !== null && (name === from || (isLoopback(name) && isLoopback(from))));
}

function hostNameOf(url: string): string | null {
  // Removes the brackets of `[::1]`.
  return URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$/g, '') || null : null;
}
