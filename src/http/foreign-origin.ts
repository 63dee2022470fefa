import type { IncomingHttpHeaders } from 'node:http';
import { isLoopback } from '../config/loopback.js';

/**
 * Whether a browser sent this for a page of somebody else's site. A page cannot read our answers, for there are no CORS
 * headers; but a browser sends plain POSTs and opens WebSockets for every page, and one on this machine comes from
 * loopback like everything that is trusted there. Other programs send no Origin. The port is not compared: what listens
 * on the same host is as near as we are.
 */
export function isForeignOrigin(headers: IncomingHttpHeaders): boolean {
  const { origin } = headers;
  if (origin === undefined) return false;
  const from = hostNameOf(origin);
  // Behind a proxy the name that the browser used is in the second; no page can set it without asking us first.
  const own = [headers.host, headers['x-forwarded-host']].flat().map((host) => hostNameOf(`http://${host ?? ''}`));
  if (from === null) return true;
  return !own.some((name) => name !== null && (name === from || (isLoopback(name) && isLoopback(from))));
}

function hostNameOf(url: string): string | null {
  // Of `[::1]` the brackets go.
  return URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$/g, '') || null : null;
}
