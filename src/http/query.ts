import { ValidationPipe, type ValidationPipeOptions } from '@nestjs/common';
import type { ValidationError } from 'class-validator';
import { ServiceError } from '../errors/service-error.js';
import type { ParameterProblem } from './http.openapi.js';
import { ProblemError } from './problem-error.js';

/** A query string with one or more bad parameters; the answer lists all of them. */
export class QueryError extends ProblemError {
  constructor(errors: readonly ParameterProblem[]) {
    super(new ServiceError('invalidRequest', errors.map(({ message }) => message).join('; ')), { errors });
  }
}

/**
 * Checks a query string against a class with class-validator rules. Unknown parameters are ignored, as AWS does.
 * Hot routes must not use it: a ValidationPipe costs about as much as the rest of a small request.
 */
export function queryOf(type: new () => object): ValidationPipe {
  return new ValidationPipe(optionsFor(type));
}

/** As queryOf, but unknown parameters are refused: what a filter of a wrong name would have kept away must not arrive. */
export function strictQueryOf(type: new () => object): ValidationPipe {
  return new ValidationPipe({ ...optionsFor(type), forbidNonWhitelisted: true });
}

const optionsFor = (type: new () => object): ValidationPipeOptions => ({
  expectedType: type,
  transform: true,
  whitelist: true,
  stopAtFirstError: true,
  validationError: { target: false, value: false },
  exceptionFactory: (errors: ValidationError[]) => new QueryError(errors.map(toProblem)),
});

/** class-validator's name for a parameter that nothing is said of. */
const UNKNOWN = 'whitelistValidation';

function toProblem({ property, constraints }: ValidationError): ParameterProblem {
  if (constraints?.[UNKNOWN] !== undefined)
    return { parameter: property, message: `There is no parameter ${property} here; leave it out, or see /docs` };
  return { parameter: property, message: Object.values(constraints ?? {})[0] ?? `${property} is not valid` };
}

/**
 * A parameter that a request may contain once, or undefined.
 * @throws QueryError when the request contains it more than once
 */
export function single(query: unknown, parameter: string): string | undefined {
  const value = (query as Record<string, string | string[] | undefined>)[parameter];
  if (!Array.isArray(value)) return value;
  throw new QueryError([{ parameter, message: `${parameter} must be given once, not ${value.length} times` }]);
}
