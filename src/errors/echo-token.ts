import { ServiceError } from './service-error.js';

/**
 * Resolves with `answer`. A ServiceError that rejects it gets the client token of the request, so that the client can
 * match it.
 * @throws as `answer` does
 */
export async function echoToken<T>(clientToken: string | undefined, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw error instanceof ServiceError ? error.withToken(clientToken) : error;
  }
}
