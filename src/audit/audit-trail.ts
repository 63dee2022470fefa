import { randomBytes } from 'node:crypto';
import type { Audit, AuditEvent, AuditOutcome } from '../access/audit.js';
import { ServiceError } from '../errors/service-error.js';
import type { Clock } from '../resilience/clock.js';
import { AccessMetrics } from '../telemetry/access-metrics.js';
import type { Logger } from '../telemetry/logger.js';
import { AuditRing, type AuditEntry } from './audit-ring.js';
import { RefusalCounts } from './refusal-counts.js';

/** Entries that a node keeps of changes, of refusals, and of what clients do all day: none drives out another. */
const MAX_ENTRIES = 10_000;
/** Milliseconds in which refusals of one kind become one entry, after the first. */
const WINDOW_MS = 10_000;
/** Characters of a target; topics may be 64 KiB long. */
const MAX_TARGET = 256;

/** What is asked for; members that are undefined match everything. */
export interface AuditQuery {
  readonly tenant: string;
  /** Whether events of no tenant belong to the answer, such as refusals of callers that are not known. */
  readonly hasUnknown: boolean;
  readonly actor?: string | undefined;
  readonly action?: string | undefined;
  /** What its target begins with. */
  readonly target?: string | undefined;
  readonly outcome?: AuditOutcome | undefined;
  /** `next` of the page before. */
  readonly after?: string | undefined;
  readonly limit: number;
}

export interface AuditPage {
  readonly entries: readonly AuditEntry[];
  /** Where to go on: also at the end, for what comes later. */
  readonly next: string;
}

/** What was done and refused on this node: each event is a line of the log, and the latest ones are in memory. */
export class AuditTrail implements Audit {
  readonly #changes = new AuditRing(MAX_ENTRIES);
  readonly #refusals = new AuditRing(MAX_ENTRIES);
  readonly #routine = new AuditRing(MAX_ENTRIES);
  readonly #rings = [this.#changes, this.#refusals, this.#routine];
  readonly #counts = new RefusalCounts((event, count) => this.#keep(event, count));
  /** Tells cursors of this start from those of other nodes, and of other starts. */
  readonly #run = randomBytes(6).toString('base64url');
  #sequence = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly clock: Clock,
    private readonly logger: Logger,
    private readonly metrics: Pick<AccessMetrics, 'refused'> = new AccessMetrics(),
  ) {}

  record(event: AuditEvent): void {
    try {
      const short = event.target.length > MAX_TARGET ? { ...event, target: event.target.slice(0, MAX_TARGET) } : event;
      if (short.outcome !== 'refused') return this.#keep(short, 1);
      this.metrics.refused(short.code);
      this.#counts.add(short);
      this.#timer ??= setInterval(() => this.#endWindow(), WINDOW_MS).unref();
    } catch (error) {
      this.logger.error({ err: error }, 'an event of the audit was lost');
    }
  }

  /** In the order in which they happened. @throws ServiceError cursorGone; invalidRequest for no cursor of ours */
  page(query: AuditQuery): AuditPage {
    const { limit, after } = query;
    const since = after === undefined ? 0 : this.#sequenceOf(after);
    const entries: AuditEntry[] = [];
    for (const entry of inOrder(this.#rings.map((ring) => ring.after(since)))) {
      if (!isAskedFor(entry, query)) continue;
      if (entries.length === limit) return { entries, next: `${this.#run}.${entries.at(-1)?.sequence ?? since}` };
      entries.push(entry);
    }
    return { entries, next: `${this.#run}.${this.#sequence}` };
  }

  /** Writes what has been counted. No errors. */
  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#counts.flush();
  }

  #endWindow(): void {
    this.#counts.flush();
    if (this.#counts.isEmpty) this.close();
  }

  #keep({ isRoutine, ...event }: AuditEvent, count: number): void {
    const entry = { ...event, sequence: ++this.#sequence, timeMs: this.clock.now(), count };
    const ring = isRoutine === true ? this.#routine : this.#changes;
    (event.outcome === 'refused' ? this.#refusals : ring).push(entry);
    this.logger.info({ audit: true, ...event, sequence: entry.sequence, count }, `${event.action} ${event.outcome}`);
  }

  #sequenceOf(cursor: string): number {
    const [, run, digits] = /^([\w-]{1,32})\.(\d{1,15})$/.exec(cursor) ?? [];
    if (run === undefined || digits === undefined)
      throw new ServiceError('invalidRequest', 'after must be given once, as the page before gave it');
    const sequence = Number(digits);
    if (run !== this.#run || sequence > this.#sequence)
      throw new ServiceError('cursorGone', 'it is of another node, or of another start of this one');
    if (this.#rings.some(({ forgotten }) => sequence < forgotten))
      throw new ServiceError('cursorGone', 'the node keeps only the latest events; the log has the others');
    return sequence;
  }
}

/** The entries of all, by their sequence. */
function* inOrder(rings: readonly Iterator<AuditEntry>[]): IterableIterator<AuditEntry> {
  const heads = rings.map((ring) => ({ ring, entry: next(ring) }));
  for (;;) {
    let first: (typeof heads)[number] | null = null;
    for (const head of heads) {
      if (head.entry !== null && (first?.entry == null || head.entry.sequence < first.entry.sequence)) first = head;
    }
    if (first?.entry == null) return;
    yield first.entry;
    first.entry = next(first.ring);
  }
}

function next(ring: Iterator<AuditEntry, undefined>): AuditEntry | null {
  return ring.next().value ?? null;
}

function isAskedFor(entry: AuditEntry, { tenant, hasUnknown, actor, action, target, outcome }: AuditQuery): boolean {
  const { actor: who } = entry;
  const isOfNobody = entry.tenant === null && who === null;
  if (isOfNobody ? !hasUnknown : entry.tenant !== tenant && who?.tenant !== tenant) return false;
  if (actor !== undefined && who?.id !== actor) return false;
  if (action !== undefined && entry.action !== action) return false;
  if (target !== undefined && !entry.target.startsWith(target)) return false;
  return outcome === undefined || entry.outcome === outcome;
}
