import { applyDelete } from '../document/apply-delete.js';
import { applyUpdate, storedVersion, type UpdateContext } from '../document/apply-update.js';
import { equalJson } from '../document/json.js';
import { valueAt } from '../document/json-pointer.js';
import { patchBetween, replacement } from '../document/patch-between.js';
import { isTombstone, type ChangeTrace, type JsonObject, type StatePatch } from '../document/shadow-document.js';
import type { ShadowDocument, ShadowState } from '../document/shadow-document.js';
import { displayName } from '../document/shadow-name.js';
import { patchTextFor, StoredDocument, StoredUpdate } from '../document/stored-document.js';
import { ServiceError } from '../errors/service-error.js';
import type { Changed } from '../store/shadow-store.js';
import { faultBySchema, sizeOf } from './guard-schema.js';
import { OperationRefused } from './operation-refused.js';
import type { SchemaSteps } from './schema-steps.js';
import { placeName, type Condition, type PromoteOperation, type ShadowPlace } from './transaction-request.js';
import type { TransactionOperation } from './transaction-request.js';

export interface ApplyContext extends UpdateContext {
  /** Id of the principal. */
  readonly principal: string;
  readonly clientToken: string | undefined;
  /** Of the request, if it was sampled. */
  readonly trace?: ChangeTrace | undefined;
}

/**
 * What the operations make of the shadows, in their order: each one sees what those before it have made. However many
 * of them change a shadow, it gets one version and one change. Pure but for `steps`: it may run again on fresher data.
 * @param shadows that the operations name, in the order of `current`
 * @param steps of all runs for one request
 * @returns null for a shadow that no operation changes
 * @throws OperationRefused
 */
export function applyOperations(
  operations: readonly TransactionOperation[],
  shadows: readonly ShadowPlace[],
  current: readonly (ShadowState | null)[],
  context: ApplyContext,
  steps: SchemaSteps,
): readonly (Changed | null)[] {
  steps.begin();
  const working = new Map(
    shadows.map((place, i) => [placeName(place), new WorkingShadow(place, current[i]!, context)]),
  );
  const applied = new Application(working, steps);
  operations.forEach((operation, i) => applied.apply(operation, i));
  return [...working.values()].map((shadow) => shadow.changed());
}

class Application {
  constructor(
    private readonly shadows: ReadonlyMap<string, WorkingShadow>,
    private readonly steps: SchemaSteps,
  ) {}

  apply(operation: TransactionOperation, index: number): void {
    const target = this.#at(operation);
    on(target, index, () => target.checkVersion(operation.version));
    for (const condition of operation.conditions) {
      const shadow = this.#at(condition);
      on(shadow, index, () => shadow.check(condition));
    }
    if (operation.op === 'promote') return this.#promote(operation, target, index);
    on(target, index, () => {
      if (operation.op === 'update') target.update(operation.state);
      else if (operation.op === 'replace') target.replace(operation.section, operation.value);
      else if (operation.op === 'delete') target.delete();
    });
  }

  #promote(operation: PromoteOperation, target: WorkingShadow, index: number): void {
    const staged = this.#at(operation.from);
    const desired = on(staged, index, () => {
      staged.checkVersion(operation.fromVersion);
      const { desired: found } = staged.document ?? {};
      if (!found) throw failed(staged, 'has no desired section to promote');
      this.#checkSchema(operation, staged, found);
      return found;
    });
    on(target, index, () => target.replace('desired', desired));
    on(staged, index, () => staged.record(target));
  }

  #checkSchema({ schema }: PromoteOperation, staged: WorkingShadow, desired: JsonObject): void {
    if (!schema) return;
    this.steps.take(schema.steps * sizeOf(desired));
    const fault = faultBySchema(schema, desired);
    if (fault !== null) throw failed(staged, `has a desired section that its schema refuses: ${fault}`);
  }

  #at(place: ShadowPlace): WorkingShadow {
    return this.shadows.get(placeName(place))!;
  }
}

/** One shadow while the operations are applied to it. */
class WorkingShadow {
  #state: ShadowState | null;
  /** The patch of its only change; undefined: it has none, or several. */
  #patch: StatePatch | undefined = undefined;
  #changes = 0;

  constructor(
    readonly place: ShadowPlace,
    /** Before the transaction. */
    readonly before: ShadowState | null,
    private readonly context: ApplyContext,
  ) {
    this.#state = before;
  }

  /** null: there is none. */
  get document(): ShadowDocument | null {
    return this.#state === null || isTombstone(this.#state) ? null : this.#state;
  }

  /** @throws ServiceError versionConflict. The version is that before the transaction, as the caller has seen it. */
  checkVersion(version: number | undefined): void {
    if (version !== undefined && version !== storedVersion(this.before)) throw new ServiceError('versionConflict');
  }

  /** @throws ServiceError preconditionFailed */
  check({ path, parts, expected }: Condition): void {
    const { document } = this;
    const { desired, reported } = document ?? {};
    const root = document === null ? undefined : { ...(desired && { desired }), ...(reported && { reported }) };
    const found = valueAt(root, parts);
    if ('exists' in expected) {
      if ((found !== undefined) === expected.exists) return;
      const what = path === '' ? 'document' : path;
      throw failed(this, expected.exists ? `has no ${what}` : path === '' ? 'has a document' : `has ${path}`);
    }
    if (found !== undefined && equalJson(found, expected.equals)) return;
    throw failed(this, `has another value at ${path === '' ? 'its root' : path}`);
  }

  update(patch: StatePatch): void {
    const made = applyUpdate(this.#state, { state: patch }, this.context);
    const version = (storedVersion(this.before) ?? 0) + 1;
    this.#state =
      made.version === version ? made : new StoredDocument(version, made.desiredSection, made.reportedSection);
    this.#patch = this.#changes++ === 0 ? patch : undefined;
  }

  replace(section: 'desired' | 'reported', members: JsonObject): void {
    this.update({ [section]: replacement(this.document?.[section], members) });
  }

  delete(): void {
    const { thing, shadow } = this.place;
    this.#state = applyDelete(this.#state, { now: this.context.now, displayName: displayName(thing, shadow) });
    this.#changes++;
  }

  /** Notes in a staged shadow what it has become. */
  record({ place, document }: WorkingShadow): void {
    const at = new Date(this.context.now).toISOString();
    // A null removes the name that an earlier promotion has left.
    this.update({
      reported: { promoted: { thing: place.thing, shadow: place.shadow, version: document!.version, at } },
    });
  }

  changed(): Changed | null {
    const state = this.#state;
    if (this.#changes === 0 || state === null) return null;
    const { clientToken, principal, now: at, trace } = this.context;
    if (isTombstone(state)) {
      const more = { ...(clientToken !== undefined && { clientToken }), ...(trace && { trace }) };
      return { state, change: { kind: 'delete', ...more, principal, at } };
    }
    const before = this.before === null || isTombstone(this.before) ? null : this.before;
    const patch = this.#patch === undefined ? patchBetween(before, state) : this.#patch;
    const text = patchTextFor(patch, StoredDocument.of(state));
    return { state, change: new StoredUpdate(patch, clientToken, principal, at, text, trace) };
  }
}

/** Names the operation in what `check` throws, and the shadow that it is about. */
function on<T>(shadow: WorkingShadow, operation: number, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    const { thing, shadow: name } = shadow.place;
    throw new OperationRefused(error, operation, { thing, shadow: name, current: shadow.before });
  }
}

function failed({ place }: WorkingShadow, what: string): ServiceError {
  return new ServiceError('preconditionFailed', `${displayName(place.thing, place.shadow)} ${what}`);
}
