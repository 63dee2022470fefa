import { parseTokenPolicy, problemText } from '../auth/tokens/token-policy.js';
import { ServiceError } from '../errors/service-error.js';
import { ProblemError } from '../http/problem-error.js';

/**
 * The text of a policy file in which no problem was found.
 * @throws ServiceError notUtf8; invalidRequest with every problem by its line and column
 */
export function checkedYaml(bytes: Uint8Array): string {
  const yaml = textOf(bytes);
  const read = parseTokenPolicy(yaml);
  if ('rules' in read) return yaml;
  const errors = read.map(({ line, column, reason }) => ({ parameter: `${line}:${column}`, message: reason }));
  throw new ProblemError(new ServiceError('invalidRequest', read.map(problemText).join('; ')), { errors });
}

function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new ServiceError('notUtf8');
  }
}
