import { ServiceError } from '../errors/service-error.js';

// PROTOCOL 3. Both alphabets are ASCII, so characters are bytes.
const THING = /^[a-zA-Z0-9:_-]{1,128}$/;
const SHADOW = /^[$a-zA-Z0-9:_-]{1,64}$/;

/** Whether `name` is the name of a thing: 1 to 128 characters of the alphabet of AWS. */
export function isThingName(name: string): boolean {
  return typeof name === 'string' && THING.test(name);
}

/** Whether `name` is the name of a named shadow: 1 to 64 characters of the alphabet of AWS. */
export function isShadowName(name: string): boolean {
  return typeof name === 'string' && SHADOW.test(name);
}

/** @throws ServiceError invalidThingName */
export function checkThingName(name: string): void {
  if (!isThingName(name)) throw new ServiceError('invalidThingName');
}

/** @throws ServiceError invalidShadowName */
export function checkShadowName(name: string): void {
  if (!isShadowName(name)) throw new ServiceError('invalidShadowName');
}

/** The name of a shadow in the 404 text (PROTOCOL 4.1): the thing for the classic one (`null`), else `thing~shadow`. */
export function displayName(thing: string, name: string | null): string {
  return name === null ? thing : `${thing}~${name}`;
}
