import { ServiceError } from './service-error.js';

/**
 * The answer to a request whose client token is known: an error that rejects it gets the token, for the client to find
 * its request by.
 * @throws as `answer` does
 */
export async function echoToken<T>(clientToken: string | undefined, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw error instanceof ServiceError ? error.withToken(clientToken) : error;
  }
}
