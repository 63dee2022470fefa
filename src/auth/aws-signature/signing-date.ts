import { malformed, SignatureFault } from './signature-fault.js';

/** ISO 8601 in its basic form, UTC: `20261128T070518Z`. */
const BASIC = /^\d{8}T\d{6}Z$/;

/** Epoch milliseconds of an `X-Amz-Date`. */
export function parseSigningDate(text: string): number | SignatureFault {
  const epochMs = BASIC.test(text) ? epochOf(text) : Number.NaN;
  return Number.isNaN(epochMs) ? malformed('X-Amz-Date must be a time in UTC such as 20261128T070518Z') : epochMs;
}

/** NaN for a date or a time that does not exist. */
function epochOf(text: string): number {
  const month = pair(text, 4);
  const day = pair(text, 6);
  const [hour, minute, second] = [pair(text, 9), pair(text, 11), pair(text, 13)];
  if (month < 1 || month > 12 || hour > 23 || minute > 59 || second > 59) return Number.NaN;
  const midnight = Date.UTC(pair(text, 0) * 100 + pair(text, 2), month - 1, day);
  // Date.UTC makes the 2nd of March of the 30th of February.
  if (day < 1 || (day > 28 && new Date(midnight).getUTCDate() !== day)) return Number.NaN;
  return midnight + ((hour * 60 + minute) * 60 + second) * 1000;
}

/** The number that two digits make. */
function pair(digits: string, at: number): number {
  return digits.charCodeAt(at) * 10 + digits.charCodeAt(at + 1) - 528;
}

/**
 * The fault of a signature that is too old or too new, null for a good one.
 * @param signedAt epoch milliseconds of its date
 * @param now epoch milliseconds
 * @param earlierMs how long it may lie in the past
 * @param laterMs how far it may lie in the future
 */
export function clockFault(signedAt: number, now: number, earlierMs: number, laterMs: number): SignatureFault | null {
  const late = now - signedAt;
  if (late <= earlierMs && -late <= laterMs) return null;
  const seconds = Math.ceil(Math.abs(late) / 1000);
  const [side, limit] = late > 0 ? ['older', earlierMs] : ['newer', laterMs];
  const advice = 'sign anew, and compare the clocks';
  return new SignatureFault(
    'AUTH_110',
    `X-Amz-Date is ${seconds} s ${side} than the clock of this node, and may be ${Math.floor(limit / 1000)} s: ${advice}`,
  );
}
