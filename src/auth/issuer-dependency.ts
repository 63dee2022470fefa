import { createHash } from 'node:crypto';

/**
 * The name under which breakers know an issuer. Each URL has its own: who registers a wrong one on a host must not have
 * the others there left alone. No errors.
 */
export function issuerDependency(url: string): string {
  const host = new URL(url).host.replace(/[^\w.:-]/g, '');
  const sum = createHash('sha256').update(url).digest('hex').slice(0, 16);
  return `issuer:${host.slice(0, 200)}:${sum}`;
}
