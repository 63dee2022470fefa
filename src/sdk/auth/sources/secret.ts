/** A secret, or a function that gives the present one. */
export type Secret = string | (() => string | Promise<string>);

/** @throws what the function throws */
export const secretOf = async (secret: Secret): Promise<string> =>
  typeof secret === 'string' ? secret : await secret();
