import type { Caller } from '../call/caller.js';
import type { CallOptions } from '../call/request.js';
import { jsonOf } from '../shadow/read-state.js';

interface Target {
  readonly thing: string;
  /** Without it, the classic shadow. */
  readonly shadow?: string;
  /** Before the transaction; another one is a `version-conflict`. */
  readonly version?: number;
  readonly conditions?: readonly Condition[];
}

/** About the operation's own shadow, or any other one. */
export type Condition = {
  readonly thing?: string;
  readonly shadow?: string;
  /** A JSON Pointer that begins with `/desired` or `/reported`; empty: the whole shadow. */
  readonly path: string;
} & ({ readonly equals: unknown } | { readonly exists: boolean });

export type Operation =
  | (Target & {
      readonly op: 'update';
      readonly state: { readonly desired?: object | null; readonly reported?: object | null };
    })
  | (Target & { readonly op: 'replace'; readonly section: 'desired' | 'reported'; readonly value: object })
  | (Target & { readonly op: 'delete' })
  | (Target & { readonly op: 'check' })
  | (Omit<Target, 'shadow'> & {
      readonly op: 'promote';
      readonly from: string;
      readonly fromVersion?: number;
      readonly to?: string;
      readonly schema?: object;
    });

export interface TransactionOptions extends CallOptions {
  readonly clientToken?: string | undefined;
  readonly idempotencyKey?: string | undefined;
  readonly lease?: string | undefined;
}

/** The shadow of one operation as the whole transaction leaves it. */
export interface OperationResult {
  readonly op: Operation['op'];
  readonly thing: string;
  readonly shadow: string | null;
  /** null: there is none. */
  readonly version: number | null;
  readonly state?: { readonly desired?: object; readonly reported?: object; readonly delta?: object };
  readonly metadata?: object;
  readonly deleted?: boolean;
  /** Why the document is not here. */
  readonly omitted?: 'shown-before' | 'too-large';
}

export interface TransactionResult {
  /** Of the one commit. */
  readonly revision: number;
  readonly results: readonly OperationResult[];
}

/** @throws UmbraError; its `problem` has `operation`, `thing`, `shadow` and `current` of a refusal */
export async function commit(
  caller: Caller,
  operations: readonly Operation[],
  { clientToken, idempotencyKey, lease, ...options }: TransactionOptions = {},
): Promise<TransactionResult> {
  // One that only checks is a read, and takes no key.
  const isRead = operations.every(({ op }) => op === 'check');
  const answer = await caller.call({
    ...{ name: 'transaction', method: 'POST', path: '/v1/transactions' },
    body: { operations, clientToken },
    headers: lease === undefined ? {} : { 'umbra-lease': lease },
    idempotencyKey: isRead ? null : idempotencyKey,
    ...options,
  });
  const { revision, results } = jsonOf(answer, !isRead) as unknown as TransactionResult;
  return { revision, results };
}
