import { setFlagsFromString } from 'node:v8';

/**
 * V8 throws the code of functions away that have not run for some collections of garbage. A node rests at night, and at
 * the next burst it began again in the interpreter: a change of others cost it 5 to 8 µs of processor instead of 2 to 3.
 * The flag is read at each collection, so it may be set late. No errors.
 */
export function keepCode(): void {
  setFlagsFromString('--no-flush-bytecode');
}
