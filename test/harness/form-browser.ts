/** Steps of one visit, at most. */
const MAX_STEPS = 20;

/**
 * A browser without scripts, which fills in whatever form it meets and keeps cookies: somebody who signs in at a provider.
 */
export class FormBrowser {
  readonly #cookies = new Map<string, string>();

  /** @param fields what is typed into fields of these names */
  constructor(private readonly fields: Readonly<Record<string, string>>) {}

  /**
   * Goes to an address and on, until it is sent to one that begins with `end` or is shown a page without a form.
   * @returns that address, or the text of the page
   */
  async visit(url: string, end: string): Promise<string> {
    let request: Step = { url };
    for (let step = 0; step < MAX_STEPS; step++) {
      const answer = await this.#send(request);
      const to = answer.headers.get('location');
      const next: Step | null =
        to === null ? this.#filled(await answer.text(), request.url) : { url: on(to, request.url) };
      if (next?.page !== undefined) return next.page;
      if (next!.url.startsWith(end)) return next!.url;
      request = next!;
    }
    throw new Error(`no end of ${url}`);
  }

  async #send({ url, form }: Step): Promise<Response> {
    const cookie = [...this.#cookies].map((each) => each.join('=')).join('; ');
    const answer = await fetch(url, {
      ...{ redirect: 'manual', headers: { cookie }, method: form ? 'POST' : 'GET' },
      ...(form && { body: form }),
    });
    for (const each of answer.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(each)!;
      if (value === '') this.#cookies.delete(name!);
      else this.#cookies.set(name!, value!);
    }
    return answer;
  }

  #filled(page: string, base: string): Step {
    const found = /<form\b[^>]*\baction="([^"]*)"[^>]*>([^]*?)<\/form>/.exec(page);
    if (!found) return { url: base, page };
    const form = new URLSearchParams();
    for (const [input] of found[2]!.matchAll(/<input\b[^>]*>/g)) {
      const name = /\bname="([^"]*)"/.exec(input)?.[1];
      if (name !== undefined) form.set(name, this.fields[name] ?? /\bvalue="([^"]*)"/.exec(input)?.[1] ?? '');
    }
    return { url: on(found[1]!.replaceAll('&amp;', '&'), base), form };
  }
}

interface Step {
  readonly url: string;
  readonly form?: URLSearchParams;
  /** The end: there is nothing to fill in. */
  readonly page?: string;
}

const on = (to: string, base: string): string => new URL(to, base).href;
