import { usage } from '../exit-code.js';

/** A time of the day in which releases begin, in minutes since midnight; `to` is outside of it. */
export interface Window {
  readonly from: number;
  readonly to: number;
}

const MINUTE = 60_000;
/** Minutes in which the next one is looked for: a window may be missing on the day when clocks are put forward. */
const MOST_MINUTES = 49 * 60;

/** Minutes since midnight in a time zone, at a time. @throws CliError for a zone that is not known */
export function clockOf(zone: string): (at: number) => number {
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat('en-GB', { timeZone: zone, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
  } catch {
    throw usage(`${zone} is no time zone that is known here; use one like Europe/Berlin`);
  }
  return (at) => {
    const [hours, minutes] = format.format(at).split(':').map(Number);
    return hours! * 60 + minutes!;
  };
}

/** Whether a minute of the day is in a window; one may go past midnight. No errors. */
export const isWithin = ({ from, to }: Window, minute: number): boolean =>
  from < to ? minute >= from && minute < to : minute >= from || minute < to;

/** The window that is open; null: none is. No errors. */
export const openWindow = (windows: readonly Window[], minute: number): Window | null =>
  windows.find((each) => isWithin(each, minute)) ?? null;

/** When the next window opens, in milliseconds since 1970. No errors. */
export function nextOpening(windows: readonly Window[], clock: (at: number) => number, now: number): number {
  // Minute by minute, since the clock of a zone may jump.
  let at = Math.ceil(now / MINUTE) * MINUTE;
  for (let minutes = 0; minutes < MOST_MINUTES && openWindow(windows, clock(at)) === null; minutes++) at += MINUTE;
  return at;
}

/** As 02:00-04:00. No errors. */
export const windowText = ({ from, to }: Window): string => `${timeText(from)}-${timeText(to)}`;

const timeText = (minutes: number): string =>
  [Math.floor(minutes / 60), minutes % 60].map((each) => String(each).padStart(2, '0')).join(':');

/** A time as a clock of the zone shows it. No errors. */
export const localText = (at: number, zone: string): string =>
  new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'short' }).format(at);
