import { setFlagsFromString } from 'node:v8';

/**
 * V8 throws the code of functions away that have not run for some collections of garbage. A node rests at night, and at
 * the next burst it began again in the interpreter: after rests of half a minute a change of others cost it 7.5 µs of
 * processor instead of 3.2 (30 in a revision). The flag is read at each collection, so it may be set late. No errors.
 */
export function keepCode(): void {
  setFlagsFromString('--no-flush-bytecode');
}
