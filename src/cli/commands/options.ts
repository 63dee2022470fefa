import { InvalidArgumentError, Option, type Command } from 'commander';
import { tenantOption } from '../records.js';

/** Seconds of a unit. */
const UNITS = { s: 1, m: 60, h: 3_600, d: 86_400 } as const;

/** Days of the longest certificate: a hundred years. */
const MAX_DAYS = 36_500;

/** A subcommand that administers a tenant. No errors. */
export const administer = (parent: Command, name: string, description: string): Command =>
  tenantOption(parent.command(name).description(description));

/** An option that may be given several times, and its opposite, that takes all of them away. No errors. */
export function listOption(command: Command, name: string, description: string, none?: string): void {
  command.addOption(
    new Option(`--${name} <${name}>`, `${description}; may be repeated`).argParser(
      (value: string, before: readonly string[] | boolean | undefined) => [
        ...(Array.isArray(before) ? (before as string[]) : []),
        value,
      ],
    ),
  );
  if (none !== undefined) command.option(`--no-${name}`, none);
}

/** As listOption, of NAME=VALUE. The last one of a name counts. No errors. */
export function pairsOption(
  command: Command,
  name: string,
  description: string,
  valueOf: (text: string) => unknown,
): void {
  command.addOption(
    new Option(`--${name} <name=value>`, `${description}; may be repeated`).argParser(
      (text: string, before: object | undefined) => {
        const sign = text.indexOf('=');
        if (sign < 1) throw new InvalidArgumentError('Use NAME=VALUE.');
        return { ...before, [text.slice(0, sign)]: valueOf(text.slice(sign + 1)) };
      },
    ),
  );
}

/** @throws InvalidArgumentError */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) throw new InvalidArgumentError('Use a whole number from 0.');
  return value;
}

/** @throws InvalidArgumentError */
export function positive(text: string): number {
  const value = Number(text);
  if (!/^[1-9]\d*$/.test(text) || !Number.isSafeInteger(value))
    throw new InvalidArgumentError('Use a whole number from 1.');
  return value;
}

/** A share of a hundred. @throws InvalidArgumentError */
export function percent(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > 100) throw new InvalidArgumentError('Use percent, from 1 to 100.');
  return value;
}

/** Seconds. @throws InvalidArgumentError */
export function duration(text: string): number {
  const [, number, unit] = /^([1-9]\d{0,8})([smhd])$/.exec(text) ?? [];
  if (number === undefined) throw new InvalidArgumentError('Use a number with s, m, h or d, such as 30d.');
  return Number(number) * UNITS[unit as keyof typeof UNITS];
}

/** Days of a certificate. @throws InvalidArgumentError */
export function wholeDays(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > MAX_DAYS)
    throw new InvalidArgumentError(`Use days, from 1 to ${MAX_DAYS}.`);
  return value;
}

/** A port of TCP. @throws InvalidArgumentError */
export function portNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > 65_535)
    throw new InvalidArgumentError('Use a port, from 1 to 65535.');
  return value;
}

/** A value of a label of Prometheus that needs no quoting, such as a version. @throws InvalidArgumentError */
export function label(text: string): string {
  if (!/^[\w.:/+-]{1,128}$/.test(text)) throw new InvalidArgumentError('Use letters, digits and . : / + - _ only.');
  return text;
}

/** How often one figure may be in another one. @throws InvalidArgumentError */
export function times(text: string): number {
  const value = Number(text);
  if (!/^\d{1,4}(\.\d{1,3})?$/.test(text) || value < 1)
    throw new InvalidArgumentError('Use a number from 1, such as 1.5.');
  return value;
}
