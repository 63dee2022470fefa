import type { Json, JsonObject, Section, StatePatch } from '../document/shadow-document.js';
import type { GuardSchema } from './guard-schema.js';

/** Operations of one transaction at most; shadows too, those that it only looks at among them. */
export const MAX_OPERATIONS = 100;
/** Conditions of one operation at most. */
export const MAX_CONDITIONS = 20;
/** Characters of the pointer of a condition. */
export const MAX_POINTER = 512;
/** Bytes of a whole request. */
export const MAX_REQUEST_BYTES = 1024 * 1024;

/** A shadow of the caller's tenant. */
export interface ShadowPlace {
  readonly thing: string;
  /** null: the classic one. */
  readonly shadow: string | null;
}

/** What must be so when the transaction is committed. */
export interface Condition extends ShadowPlace {
  /** As sent, for errors. */
  readonly path: string;
  readonly parts: readonly string[];
  readonly expected: { readonly equals: Json } | { readonly exists: boolean };
}

interface AnyOperation extends ShadowPlace {
  /** Version that the shadow must have before the transaction. */
  readonly version?: number;
  readonly conditions: readonly Condition[];
}

export interface UpdateOperation extends AnyOperation {
  readonly op: 'update';
  readonly state: StatePatch;
}

export interface ReplaceOperation extends AnyOperation {
  readonly op: 'replace';
  readonly section: Section;
  readonly value: JsonObject;
}

export interface PlainOperation extends AnyOperation {
  readonly op: 'delete' | 'check';
}

/** What is staged in one shadow goes live in the desired section of another one of its thing, which it is named by. */
export interface PromoteOperation extends AnyOperation {
  readonly op: 'promote';
  readonly from: ShadowPlace;
  /** Version that the staged shadow must have before the transaction. */
  readonly fromVersion?: number;
  /** What the staged section must match. */
  readonly schema?: GuardSchema;
}

export type TransactionOperation = UpdateOperation | ReplaceOperation | PlainOperation | PromoteOperation;

export interface TransactionRequest {
  readonly clientToken?: string;
  readonly operations: readonly TransactionOperation[];
}

/** The shadows that one operation changes. No errors. */
export function changedBy(operation: TransactionOperation): readonly ShadowPlace[] {
  if (operation.op === 'check') return [];
  return operation.op === 'promote' ? [operation, operation.from] : [operation];
}

/** Names a place among those of one tenant. No errors. */
export const placeName = ({ thing, shadow }: ShadowPlace): string => (shadow === null ? thing : `${thing}/${shadow}`);
