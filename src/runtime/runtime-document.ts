import { plainToInstance, Type } from 'class-transformer';
import {
  IsBoolean,
  IsIn,
  IsObject,
  IsOptional,
  ValidateNested,
  validateSync,
  type ValidationError,
} from 'class-validator';
import { LOG_LEVELS, type LogLevel } from '../telemetry/logger.js';
import type { SamplingRules } from '../telemetry/sampling.js';
import { readSamplingRules, SamplingFault } from '../telemetry/sampling-rules.js';
import { FLAG_NAMES, type FlagName } from './flags.js';

/** What can be changed while nodes run. What a member does not say is as the environment of each node has it. */
export interface RuntimeDocument {
  readonly logLevel?: LogLevel;
  readonly flags?: Readonly<Partial<Record<FlagName, boolean>>>;
  readonly sampling?: SamplingRules;
}

/** Bytes of a document, as JSON in UTF-8. */
export const MAX_DOCUMENT_BYTES = 16 * 1024;
/** Objects and lists within each other: of any that are right there are fewer. What reads a document calls itself for each. */
const MAX_LEVELS = 10;
/** Problems that are told of one document. */
const MAX_PROBLEMS = 20;

/** A document that is not as it must be. Each problem names the member and says what would be right. */
export class RuntimeFault extends Error {
  override readonly name = 'RuntimeFault';
  constructor(readonly problems: readonly string[]) {
    super(problems.join('; '));
  }
}

const isFlag = { message: '$property must be true or false' };

class FlagMembers implements Partial<Record<FlagName, boolean>> {
  @IsBoolean(isFlag)
  @IsOptional()
  bulk?: boolean;
}

class DocumentMembers {
  @IsIn(LOG_LEVELS, { message: `$property must be one of ${LOG_LEVELS.join(', ')}` })
  @IsOptional()
  logLevel?: LogLevel;

  @ValidateNested({ message: `$property must be an object with members of ${FLAG_NAMES.join(', ')}` })
  @IsObject({ message: `$property must be an object with members of ${FLAG_NAMES.join(', ')}` })
  @Type(() => FlagMembers)
  @IsOptional()
  flags?: FlagMembers;

  // Its own reader looks into it.
  @IsObject({ message: '$property must be an object with rules, failed, slowMs, maxPerSecond' })
  @IsOptional()
  sampling?: object;
}

const RULES = { whitelist: true, forbidNonWhitelisted: true, forbidUnknownValues: true } as const;
/** class-validator's name for a member that no rule is about. */
const UNKNOWN = 'whitelistValidation';

/**
 * The document that a value of JSON is. A member that is null is as one that is absent.
 * @throws RuntimeFault
 */
export function documentOf(value: unknown): RuntimeDocument {
  if (!isObject(value)) throw new RuntimeFault(['the document must be an object']);
  if (isDeep(value)) throw new RuntimeFault([`the document has more than ${MAX_LEVELS} levels`]);
  const bytes = Buffer.byteLength(JSON.stringify(value));
  if (bytes > MAX_DOCUMENT_BYTES)
    throw new RuntimeFault([`the document has ${bytes} bytes; at most ${MAX_DOCUMENT_BYTES} are allowed`]);
  const hidden = hiddenIn(value);
  if (hidden !== null) throw new RuntimeFault([`${hidden} is unknown; remove it`]);
  const members = plainToInstance(DocumentMembers, value);
  const problems = problemsOf(validateSync(members, RULES));
  if (problems.length > 0) throw new RuntimeFault(problems.slice(0, MAX_PROBLEMS));
  // As it was given: class-transformer leaves names out without a word.
  return plain({ ...members, sampling: value['sampling'] });
}

function plain({
  logLevel,
  flags,
  sampling,
}: Omit<DocumentMembers, 'sampling'> & { sampling: unknown }): RuntimeDocument {
  const given = Object.entries(flags ?? {}).filter(([, value]: [string, boolean | null]) => value !== null);
  return {
    ...(logLevel && { logLevel }),
    ...(flags && { flags: Object.fromEntries(given) }),
    ...((sampling ?? null) !== null && { sampling: rulesOf(sampling) }),
  };
}

function rulesOf(sampling: unknown): SamplingRules {
  try {
    return readSamplingRules(sampling);
  } catch (error) {
    throw error instanceof SamplingFault ? new RuntimeFault([error.message]) : error;
  }
}

type Holder = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Holder =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function isDeep(value: object): boolean {
  let level: object[] = [value];
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > MAX_LEVELS) return true;
    level = level.flatMap((each) => Object.values(each).filter((member) => typeof member === 'object' && member));
  }
  return false;
}

/** The first member whose name every object has: class-transformer leaves those out without a word. */
function hiddenIn(value: Holder, place = ''): string | null {
  for (const [name, member] of Object.entries(value)) {
    if (name in Object.prototype) return place + name;
    const found = isObject(member) ? hiddenIn(member, `${place}${name}.`) : null;
    if (found !== null) return found;
  }
  return null;
}

function problemsOf(errors: readonly ValidationError[], place = ''): string[] {
  return errors.flatMap(({ property, constraints = {}, children = [] }) => {
    const at = place + (property.length > 40 ? `${property.slice(0, 40)}…` : property);
    const own = Object.entries(constraints).map(([rule, text]) =>
      rule === UNKNOWN ? `${at} is unknown; remove it` : text.replace(property, at),
    );
    return [...own.slice(0, 1), ...problemsOf(children, `${at}.`)];
  });
}
