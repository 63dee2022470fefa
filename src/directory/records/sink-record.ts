import { FILTER_VALUE, SINK_ID, SINK_KIND, SINK_NAME, TENANT_NAME } from './record-names.js';
import { MAX_RECORD_BYTES, type RecordKind } from './record-kind.js';

/** An output that gets the changes of a tenant's shadows: `sinks/{tenant}/{name}`. */
export interface SinkRecord {
  readonly tenant: string;
  readonly name: string;
  /** Names its cursors: a later sink of the same name has others. */
  readonly id: string;
  readonly kind: string;
  /** JSON object, which the kind reads. */
  readonly settings: string;
  /** JSON object, sealed; null: there are no secrets. */
  readonly sealedSecrets: string | null;
  readonly filter: SinkFilter;
  readonly isPaused: boolean;
  /** Why the service has paused it; the empty text: somebody has. */
  readonly pauseReason: string;
  /** Epoch milliseconds. */
  readonly createdAtMs: number;
}

/** Which changes it gets; null asks for any. */
export interface SinkFilter {
  readonly things: readonly string[] | null;
  readonly shadows: readonly string[] | null;
  readonly kinds: readonly string[] | null;
  readonly paths: readonly string[] | null;
  /** Only what leaves a difference between desired and reported. */
  readonly delta: boolean;
}

const MAX_SETTINGS = 16 * 1024;
/** A sealed text is a third longer than the secrets. */
const MAX_SEALED = 24 * 1024;
const MAX_REASON = 1024;
/** Values of each part of a filter. */
const MAX_VALUES = 100;
const ANY: SinkFilter = { things: null, shadows: null, kinds: null, paths: null, delta: false };

export const SINK: RecordKind<SinkRecord> = {
  noun: 'sink',
  folder: 'sinks',
  parts: [TENANT_NAME, SINK_NAME],
  maxBytes: MAX_RECORD_BYTES,
  // Each is a reading of all changes on each node that has some of its shards.
  most: 200,
  read: (reader, [tenant = '', name = '']) => ({
    tenant,
    name,
    id: reader.name('id', SINK_ID),
    kind: reader.name('kind', SINK_KIND),
    settings: reader.text('settings', MAX_SETTINGS),
    sealedSecrets: reader.textOrNull('sealedSecrets', MAX_SEALED),
    filter: reader.object('filter', (filter) => ({
      things: filter.namesOrNull('things', FILTER_VALUE, MAX_VALUES),
      shadows: filter.namesOrNull('shadows', FILTER_VALUE, MAX_VALUES),
      kinds: filter.namesOrNull('kinds', FILTER_VALUE, MAX_VALUES),
      paths: filter.namesOrNull('paths', FILTER_VALUE, MAX_VALUES),
      delta: filter.flag('delta'),
    })),
    isPaused: reader.flag('paused'),
    pauseReason: reader.text('pauseReason', MAX_REASON),
    createdAtMs: reader.timeMs('createdAtMs'),
  }),
  write: ({ tenant: _tenant, name: _name, isPaused, ...rest }) => ({ ...rest, paused: isPaused }),
  closed: ([tenant = '', name = '']) => ({
    ...{ tenant, name, id: '', kind: '', settings: '{}', sealedSecrets: null, filter: ANY },
    ...{ isPaused: true, pauseReason: '', createdAtMs: 0 },
  }),
};
