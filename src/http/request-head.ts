import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import type { SentHead } from '../access/request-signatures.js';
import { isLoopback } from '../config/loopback.js';
import { ServiceError } from '../errors/service-error.js';

/** Headers of one request at most. Browsers send about 20, and chains of proxies add as many. */
export const MAX_HEADERS = 100;
/** Values of Host that are remembered as good, so that they are compared once: clients choose their port and case. */
const MAX_REMEMBERED = 64;
/** Characters of a Host that an error repeats. */
const MAX_SHOWN = 100;

/** RFC 9110 section 7.2: a name or an address, and maybe a port. An IPv6 address has brackets. */
const HOST = /^(?:\[([^\]]+)\]|([^:[\]]+?))\.?(?::\d{0,5})?$/;
/** RFC 9112 section 3.2.2: the absolute form, as a client sends it to a proxy. */
const ABSOLUTE = /^https?:\/\/([^/?#]*)([^]*)$/i;

/**
 * Looks at the head of every request, before its body is read. A page of another site can point a name of its own at
 * 127.0.0.1; its browser then takes this node for the page's own server, and sends the page's name as Host. So a node
 * answers only to addresses and to names that it knows.
 */
export class RequestHeads {
  readonly #names: ReadonlySet<string>;
  readonly #good = new Set<string>();

  /** @param names host names by which clients reach the node, beside loopback and addresses */
  constructor(names: readonly string[]) {
    // `umbra.svc.cluster.local.` is the same name as the one without its last dot.
    this.#names = new Set(names.map((name) => name.toLowerCase().replace(/\.$/, '')));
  }

  /**
   * Why a request must not be served: another version of HTTP, a Host of a stranger, none or two, or too many headers. Null
   * for a good one.
   */
  faultOf(request: IncomingMessage): ServiceError | null {
    const { httpVersion, rawHeaders } = request;
    const { host } = request.headers;
    // Node takes a request line that ends behind the path, which is HTTP/0.9, for a request like any other.
    if (httpVersion !== '1.1' && httpVersion !== '1.0')
      return new ServiceError('invalidRequest', 'A request line must end with HTTP/1.1');
    const excess = excessOf(request);
    if (excess) return excess;
    if (isRepeated(rawHeaders, 'host')) return new ServiceError('invalidRequest', 'A request may have one Host only');
    if (host === undefined) {
      // HTTP/1.0 knows no Host, and browsers do not speak it.
      return httpVersion === '1.0' ? null : new ServiceError('invalidRequest', 'A request needs HTTP/1.1 and a Host');
    }
    if (this.#good.has(host)) return null;
    if (!this.#isOurs(host)) {
      const shown = JSON.stringify(host.slice(0, MAX_SHOWN));
      const advice = 'use its address, or add the name to UMBRA_HTTP_NAMES of the node';
      return new ServiceError('invalidRequest', `Host ${shown} is no name of this node: ${advice}`);
    }
    if (this.#good.size < MAX_REMEMBERED) this.#good.add(host);
    return null;
  }

  #isOurs(host: string): boolean {
    const [, address, name] = HOST.exec(host) ?? [];
    if (address !== undefined) return isIP(address) === 6;
    return name !== undefined && (isIP(name) === 4 || isLoopback(name) || this.#names.has(name.toLowerCase()));
  }
}

/** The error of a request with too many headers. Node drops what is beyond its own bound, one header higher, unseen. */
export function excessOf({ rawHeaders }: IncomingMessage): ServiceError | null {
  if (rawHeaders.length <= 2 * MAX_HEADERS) return null;
  return new ServiceError('invalidRequest', `A request may have ${MAX_HEADERS} headers at most`);
}

/**
 * The path and query that a request names. RFC 9112 section 3.2.2: the authority of an absolute form replaces Host.
 * Other forms are returned as they are; no route has them.
 */
export function originForm(request: IncomingMessage): string {
  const { url = '' } = request;
  if (url.startsWith('/')) return url;
  const [, authority, path] = ABSOLUTE.exec(url) ?? [];
  if (authority === undefined || path === undefined) return url;
  request.headers.host = authority;
  return path.startsWith('/') ? path : `/${path}`;
}

/** The head of a request as signatures see it. No errors. */
export function sentHead({ method = '', url = '', rawHeaders }: IncomingMessage): SentHead {
  const at = url.indexOf('?');
  const [rawPath, rawQuery] = at < 0 ? [url, ''] : [url.slice(0, at), url.slice(at + 1)];
  return { method, rawPath, rawQuery, headers: rawHeaders };
}

/** Whether a body follows the head. */
export function hasBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length'];
  return headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}

/** Node's own headers keep the first of two and drop the other. */
function isRepeated(rawHeaders: readonly string[], name: string): boolean {
  let seen = false;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const given = rawHeaders[i];
    if (given?.length !== name.length || given.toLowerCase() !== name) continue;
    if (seen) return true;
    seen = true;
  }
  return false;
}
