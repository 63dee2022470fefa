import type { ServiceError } from '../errors/service-error.js';
import { problemMembers } from '../http/error-body.js';

/** What a line has become. */
export type LineResult = Changed | ServiceError;

interface Changed {
  readonly version: number;
  /** Of the commit. */
  readonly revision: number;
  /** It was carried out before. */
  readonly isReplayed: boolean;
}

/** How many lines have become what. */
export interface LineCounts {
  lines: number;
  changed: number;
  /** Of the changed ones. */
  replayed: number;
  refused: number;
}

/** What the answer has for a line. @param id as the line has it. No errors. */
export function resultText(line: number, id: string | null, result: LineResult): string {
  const head = id === null ? `{"line":${line}` : `{"line":${line},"id":${JSON.stringify(id)}`;
  if (result instanceof Error) return `${head},"error":${JSON.stringify(problemMembers(result))}}\n`;
  const { version, revision, isReplayed } = result;
  return `${head},"version":${version},"revision":${revision}${isReplayed ? ',"replayed":true' : ''}}\n`;
}

/** The last line. @param message what the client should do; null: the body was read to its end. No errors. */
export function endText(reason: string, message: string | null, counts: LineCounts): string {
  return `${JSON.stringify({ end: { reason, ...(message !== null && { message }), ...counts } })}\n`;
}
