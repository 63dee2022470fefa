import { ServiceError } from '../errors/service-error.js';

const [QUOTE, BACKSLASH] = [0x22, 0x5c];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/**
 * Refuses JSON that is nested too deeply before it is parsed: a megabyte of brackets would take the parser 0.3 s. What is
 * no JSON at all may pass.
 * @throws ServiceError tooDeep
 */
export function checkNesting(json: Uint8Array, maxLevels: number): void {
  let level = 0;
  let inText = false;
  for (let i = 0; i < json.length; i++) {
    const byte = json[i]!;
    if (inText) {
      if (byte === BACKSLASH) i++;
      else if (byte === QUOTE) inText = false;
    } else if (byte === QUOTE) inText = true;
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
      if (++level > maxLevels) throw new ServiceError('tooDeep', String(maxLevels));
    } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) level--;
  }
}
