/** C0 except tab and line feed, DEL, and C1, with which a text could command the terminal. */
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;
/** Those, and what would begin another line or column, or turn around the order of what is read. */
const IN_LINE = /[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** The text with its control characters written as JSON does, so that JSON stays the same value. No errors. */
export const printable = (text: string): string => text.replace(CONTROL, escaped);

/** As printable, for a value within a line: whatever it has, it stays in its place. No errors. */
export const printableLine = (text: string): string => text.replace(IN_LINE, escaped);
