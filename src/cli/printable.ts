/** C0 except tab and line feed, DEL, and C1, with which a text could command the terminal. */
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;

/** The text with its control characters written as JSON does, so that JSON stays the same value. No errors. */
export const printable = (text: string): string =>
  text.replace(CONTROL, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
