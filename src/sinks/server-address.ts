import { RecordFault, type NameRule } from '../directory/records/record-reader.js';

/** URL of a server without user, password, path and query; each kind has its own schemes. No errors. */
export function serverRule(...schemes: readonly string[]): NameRule {
  return {
    pattern: new RegExp(`^(?:${schemes.join('|')})://(?:\\[[0-9A-Fa-f:.]{2,45}\\]|[A-Za-z0-9._-]{1,253}):\\d{1,5}$`),
    words: `the URL of a server: ${schemes.map((scheme) => `${scheme}://host:port`).join(' or ')}, without user and path`,
  };
}

/**
 * Refuses servers that the operator of the nodes has not named: a tenant must not reach into their network.
 * @param allowed names and addresses of hosts, for all their ports, or for the one that follows a colon
 * @throws RecordFault
 */
export function checkHosts(urls: readonly string[], allowed: readonly string[]): void {
  const known = new Set(allowed.map((host) => host.toLowerCase()));
  for (const url of urls) {
    const { host, port } = placeOf(url);
    if (known.has(host) || known.has(`${host}:${port}`)) continue;
    throw new RecordFault(
      `${host} is not among the servers that sinks may use with port ${port}; the operator of the nodes names them in UMBRA_SINK_HOSTS`,
    );
  }
}

/** Of a URL that serverRule() allows; addresses of IPv6 in their brackets. */
function placeOf(url: string): { readonly host: string; readonly port: number } {
  const colon = url.lastIndexOf(':');
  return { host: url.slice(url.indexOf('://') + 3, colon).toLowerCase(), port: Number(url.slice(colon + 1)) };
}
