import type { Call, Answer, Link, Next } from './call.js';
import { clientError } from '../umbra-error.js';

/** Links that each client has, from the outermost to the innermost. */
export type BuiltInLink = 'log' | 'retry' | 'renewal';

/** Where a link goes. Without any of these it comes last: it sees each attempt, with its credential. */
export interface Place {
  /** A name by which others can replace it or place themselves. */
  readonly name?: string;
  readonly before?: string;
  readonly replace?: string;
}

interface Named {
  readonly name: string | undefined;
  readonly link: Link;
}

/** The links that all calls of a client pass, in their order. */
export class Chain {
  #links: readonly Named[];

  constructor(
    links: readonly Named[],
    private readonly last: Next,
  ) {
    this.#links = links;
  }

  /**
   * Calls that are under way keep the chain that they began with.
   * @throws UmbraError invalid-argument if there is no link of that name
   */
  use(link: Link, { name, before, replace }: Place = {}): void {
    const links = [...this.#links];
    const target = replace ?? before;
    const index = target === undefined ? links.length : links.findIndex((each) => each.name === target);
    if (index < 0) {
      const names = links.flatMap((each) => each.name ?? []).join(', ');
      throw clientError('invalid-argument', `there is no link "${target}"; the links are ${names}`);
    }
    links.splice(index, replace === undefined ? 0 : 1, { name: name ?? replace, link });
    this.#links = links;
  }

  /** @throws UmbraError */
  run(call: Call): Promise<Answer> {
    const step = this.#links.reduceRight<Next>(
      (next, { link }) =>
        async (each) =>
          link(each, next),
      this.last,
    );
    return step(call);
  }
}
