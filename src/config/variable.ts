import { Transform } from 'class-transformer';
import { ArrayMaxSize, IsBoolean, IsIn, IsInt, IsOptional, IsString, Matches, Max, Min } from 'class-validator';

/** One variable of the environment, as the documentation and the error messages tell it. */
export interface Variable {
  readonly name: string;
  /** What may be given, in words. */
  readonly type: string;
  readonly unit: string;
  readonly meaning: string;
  /** A value that is right. */
  readonly example: string;
  /** The value is never printed: not in errors, not in logs. */
  readonly secret: boolean;
  /** Told instead of the default of the class, where that one is computed or is `null`. */
  readonly defaultText: string | null;
}

interface Description {
  readonly meaning: string;
  readonly unit?: string;
  readonly example?: string;
  readonly secret?: boolean;
  readonly defaultText?: string;
}

/** In the order of the class Env. */
export const VARIABLES: Variable[] = [];

/** A bad value stays the string that it was, so that the rule behind it sees and refuses it. */
const toInteger = (value: unknown) => (typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value);
const toFlag = (value: unknown) => (value === 'true' ? true : value === 'false' ? false : value);
const toList = (value: unknown) =>
  typeof value === 'string' ? value.split(',').flatMap((entry) => entry.trim() || []) : value;

function variable(
  type: string,
  example: string,
  description: Description,
  convert: (value: unknown) => unknown,
  rules: PropertyDecorator[],
): PropertyDecorator {
  return (target, property) => {
    VARIABLES.push({
      name: String(property),
      type,
      unit: description.unit ?? '',
      meaning: description.meaning,
      example: description.example ?? example,
      secret: description.secret ?? false,
      defaultText: description.defaultText ?? null,
    });
    for (const rule of [Transform(({ value }) => convert(value)), ...rules]) rule(target, property);
  };
}

export function integer(range: Description & { min: number; max: number; unit: string }): PropertyDecorator {
  const message = `must be a whole number from ${range.min} to ${range.max}`;
  const rules = [IsInt({ message }), Min(range.min, { message }), Max(range.max, { message })];
  return variable(`${range.min} to ${range.max}`, String(range.min), range, toInteger, rules);
}

export function port(description: Description): PropertyDecorator {
  return integer({ ...description, min: 0, max: 65_535, unit: 'TCP port; 0 is any free one' });
}

/** Initialise the property with `null`, which is `off`. */
export function optionalPort(description: Description): PropertyDecorator {
  const message = 'must be "off" or a whole number from 0 to 65535';
  const rules = [IsOptional(), IsInt({ message }), Min(0, { message }), Max(65_535, { message })];
  const convert = (value: unknown) => (value === 'off' ? null : toInteger(value));
  const unit = 'TCP port; 0 is any free one';
  return variable('off, or 0 to 65535', '8443', { unit, defaultText: 'off', ...description }, convert, rules);
}

export function flag(description: Description): PropertyDecorator {
  return variable('true or false', 'true', description, toFlag, [IsBoolean({ message: 'must be "true" or "false"' })]);
}

export function choice(values: readonly string[], description: Description): PropertyDecorator {
  const type = `one of ${values.join(', ')}`;
  const rules = [IsIn(values, { message: `must be ${type}` })];
  return variable(type, values[0] ?? '', description, (value) => value, rules);
}

/** Text of one line; initialise the property with `null` if it has no default. */
export function text(
  description: Description & { type: string; pattern: RegExp; problem: string; example: string },
): PropertyDecorator {
  const message = description.problem;
  const rules = [IsOptional(), IsString({ message }), Matches(description.pattern, { message })];
  return variable(description.type, description.example, description, (value) => value, rules);
}

/** Path of a file that is read once at start; `null` if there is none. */
export function file(description: Description & { example: string }): PropertyDecorator {
  const problem = 'must be the path of one file';
  return text({ type: 'path', pattern: /^[^\0\n]{1,4096}$/, problem, defaultText: 'none', ...description });
}

/** Comma-separated. */
export function list(
  description: Description & { type: string; each: RegExp; problem: string; max: number; example: string },
): PropertyDecorator {
  const rules = [
    ArrayMaxSize(description.max, { message: `must have at most ${description.max} entries` }),
    Matches(description.each, { each: true, message: description.problem }),
  ];
  return variable(description.type, description.example, description, toList, rules);
}
