import type { Logger } from '../platform.js';
import type { Json } from './merge.js';
import type { Outbox } from './outbox.js';

interface Kept {
  readonly patch: Json;
  readonly clientToken: string;
}

/** What waits of one shadow, in an outbox. It is written by one save at a time; what changes meanwhile, by the next. */
export class KeptReports {
  /** Undefined: all is saved. */
  #updates: (() => readonly Kept[]) | undefined;
  #saved = '';
  #isSaving = false;
  /** Calls of `keep`, and how many of them a save has dealt with. */
  #kept = 0;
  #dealtWith = 0;
  /** Ends of waits for a save. */
  #waiting: (() => void)[] = [];

  constructor(
    private readonly outbox: Outbox,
    private readonly shadow: string | null,
    private readonly logger: Logger,
  ) {}

  /** What a process before this one has left. What cannot be read is told in the log, and lost. No errors. */
  async load(): Promise<readonly Kept[]> {
    try {
      const text = await this.outbox.load(this.shadow);
      const { updates } = JSON.parse(text ?? '{"updates":[]}') as { updates: readonly Partial<Kept>[] };
      return updates.flatMap(({ patch, clientToken }) =>
        typeof patch === 'object' && typeof clientToken === 'string' ? [{ patch, clientToken }] : [],
      );
    } catch (error) {
      this.logger.error({ error, shadow: this.shadow }, 'the outbox cannot be read');
      return [];
    }
  }

  /** Has these saved, asked for when the save begins: what is under way, then what waits. No errors. */
  keep(updates: () => readonly Kept[]): void {
    this.#updates = updates;
    this.#kept++;
    if (!this.#isSaving) void this.#save();
  }

  /**
   * Waits until what was kept before this call is saved: what is kept later may come faster than saves end. What cannot be
   * saved is told in the log. No errors.
   */
  async saved(): Promise<void> {
    const last = this.#kept;
    while (this.#dealtWith < last) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  async #save(): Promise<void> {
    this.#isSaving = true;
    for (let updates = this.#updates; updates !== undefined; updates = this.#updates) {
      const last = this.#kept;
      this.#updates = undefined;
      const text = JSON.stringify({ updates: updates().map(({ patch, clientToken }) => ({ patch, clientToken })) });
      if (text !== this.#saved) await this.#write(text);
      this.#dealtWith = last;
      for (const end of this.#waiting.splice(0)) end();
    }
    this.#isSaving = false;
  }

  async #write(text: string): Promise<void> {
    try {
      await this.outbox.save(this.shadow, text);
      this.#saved = text;
    } catch (error) {
      this.logger.error({ error, shadow: this.shadow }, 'the outbox cannot be written');
    }
  }
}
