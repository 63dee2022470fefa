import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '../config/config.js';
import type { AccessEntry } from '../directory/access-records.js';
import { Administration, type Expected } from '../directory/administration.js';
import { recordOf, refuseOwn } from '../directory/record-of.js';
import { RecordFault } from '../directory/records/record-reader.js';
import type { SinkRecord } from '../directory/records/sink-record.js';
import type { JsonObject } from '../document/shadow-document.js';
import { ServiceError } from '../errors/service-error.js';
import { CLOCK, type Clock } from '../resilience/clock.js';
import type { Position } from '../store/position.js';
import { SHADOW_FEED, type ShadowFeed } from '../store/shadow-feed.js';
import { checkFilter, watchFilterOf } from './sink-filter.js';
import { beginCursors, forgetSink } from './sink-keys.js';
import type { CheckedSettings, SettingsContext, SinkKind, StoredSettings } from './sink-kind.js';
import { SINK_MEANS, type SinkMeans } from './sink-means.js';

/** Members that a request may have. */
const MEMBERS: readonly string[] = ['kind', 'settings', 'filter', 'paused', 'initial'];
/** Members of a record that only the service sets. */
const OWN = ['format', 'id', 'sealedSecrets', 'pauseReason', 'createdAtMs'];
/** Sinks of one tenant. */
const MAX_OF_TENANT = 10;
const ID_BYTES = 8;
/** Milliseconds for the storage to say its present revision. */
const HEAD_MS = 3_000;
/** Epoch of no history: whoever begins there is sent the present state first. */
const BEFORE_ALL = -1;
const ANY = { things: null, shadows: null, kinds: null, paths: null, delta: false };

type Members = Readonly<Record<string, unknown>>;

export interface UpdatedSink {
  readonly entry: AccessEntry<SinkRecord>;
  /** Settings that are shown this once. */
  readonly shown: JsonObject;
}

/** Makes sinks, and changes them. */
@Injectable()
export class UpdateSink {
  constructor(
    private readonly administration: Administration,
    @Inject(SHADOW_FEED) private readonly feed: ShadowFeed,
    @Inject(SINK_MEANS) private readonly means: SinkMeans,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(CONFIG) private readonly config: Pick<Config, 'presence'>,
  ) {}

  /**
   * @param names tenant, and the name of the sink
   * @param members of the body; those that are left out are those of a new sink
   * @throws ServiceError invalidRequest, noRecord, preconditionFailed, storageUnavailable, storageFull, draining
   */
  async update(names: readonly [string, string], members: Members, expected: Expected): Promise<UpdatedSink> {
    const [tenant, name] = names;
    this.administration.get('tenant', [tenant]);
    checkMembers(members);
    const stored = this.administration.find('sink', names);
    // One that cannot be read has an id that nobody knows here: what takes its place is another sink.
    const before = stored?.fault === null ? stored : null;
    const id = before?.record.id ?? randomBytes(ID_BYTES).toString('hex');
    const { kind = before?.record.kind, settings = {}, filter = {}, paused = false, initial = false } = members;
    if (typeof initial !== 'boolean') throw refused('initial must be true or false');
    const draft = recordOf('sink', names, {
      ...{ kind, id, settings: '{}', sealedSecrets: null, filter: completed(filter), paused, pauseReason: '' },
      createdAtMs: before?.record.createdAtMs ?? this.clock.now(),
    });
    checkFilter(draft.filter);
    if (draft.filter.kinds?.includes('presence') && !this.config.presence.isOn)
      throw refused('filter.kinds: presence is switched off on this node (UMBRA_PRESENCE)');
    if (draft.filter.kinds?.includes('presence') && !this.feed.hasPresence)
      throw refused('filter.kinds: the storage of this node brings no presence; leave it out');
    const found = this.#kindOf(draft, before);
    const context = { tenant, sink: name, filter: watchFilterOf(draft.filter), now: this.clock.now() };
    const checked = checkedBy(found, settings, { ...context, before: before && this.#stored(before.record) });
    const sealedSecrets = this.means.secrets.seal(draft, checked.secrets);
    const record = { ...draft, settings: JSON.stringify(checked.settings), sealedSecrets };
    const put = () => this.administration.put('sink', names, record, expected);
    if (stored === null) this.#checkCount(tenant);
    const revision = before === null ? await this.#create(record, initial, put) : await put();
    return { entry: { names, record, revision, fault: null }, shown: checked.shown ?? {} };
  }

  #checkCount(tenant: string): void {
    if (this.administration.directory.countIn('sink', tenant) >= MAX_OF_TENANT)
      throw refused(`A tenant has ${MAX_OF_TENANT} sinks at most; delete some first`);
  }

  /** Its cursors stand before the first change that anybody may expect to be sent. */
  async #create({ id }: SinkRecord, initial: boolean, put: () => Promise<number>): Promise<number> {
    const { keys } = this.means;
    const head = await this.feed.head(AbortSignal.timeout(HEAD_MS));
    const from: Position = initial ? { ...head, epoch: BEFORE_ALL } : head;
    await beginCursors(keys, id, from);
    try {
      return await put();
    } catch (error) {
      // Of an outcome that is not known the cursors stay: a sink that is there after all would skip changes.
      if (error instanceof ServiceError && ['invalidRequest', 'preconditionFailed'].includes(error.code))
        await forgetSink(keys, id).catch(() => undefined);
      throw error;
    }
  }

  #kindOf({ kind }: SinkRecord, before: AccessEntry<SinkRecord> | null): SinkKind {
    const { kinds } = this.means;
    const found = kinds.get(kind);
    if (!found) throw refused(`kind must be one of ${[...kinds.keys()].join(', ')}`);
    if (before !== null && before.record.kind !== kind)
      throw refused(`The sink is of the kind ${before.record.kind}; delete it, and make another`);
    return found;
  }

  /** Null: they cannot be read, and have to be given again. */
  #stored(record: SinkRecord): StoredSettings | null {
    try {
      return { settings: JSON.parse(record.settings) as JsonObject, secrets: this.means.secrets.read(record) };
    } catch {
      return null;
    }
  }
}

function checkMembers(members: Members): void {
  refuseOwn(members, OWN);
  const unknown = Object.keys(members).find((member) => !MEMBERS.includes(member));
  if (unknown !== undefined)
    throw refused(`${JSON.stringify(unknown.slice(0, 40))} is unknown; a sink has ${MEMBERS.join(', ')}`);
}

/** What a filter does not say asks for anything; what is no object is for the record to refuse. */
function completed(filter: unknown): unknown {
  return typeof filter === 'object' && filter !== null && !Array.isArray(filter) ? { ...ANY, ...filter } : filter;
}

function checkedBy(kind: SinkKind, settings: unknown, context: SettingsContext): CheckedSettings {
  if (typeof settings !== 'object' || settings === null || Array.isArray(settings))
    throw refused('settings must be an object');
  try {
    return kind.check(settings as Members, context);
  } catch (error) {
    if (error instanceof RecordFault) throw refused(error.message);
    throw error;
  }
}

const refused = (detail: string): ServiceError => new ServiceError('invalidRequest', detail);
