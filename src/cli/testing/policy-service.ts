import { scriptedFetch, type ScriptedFetch, type Sent } from '../../sdk/testing/index.js';

/** A refusal as the service writes it. No errors. */
export const problem = (status: number, type: string, detail = type): Response =>
  new Response(JSON.stringify({ type: `urn:umbra:problem:${type}`, title: type, status, detail }), { status });

const VIEWER = { policy: 'role:viewer', document: {}, notes: [], version: 1, versions: [], builtIn: true };

/** The routes of policies, with versions and entity tags as the service has them. It judges no document. */
export class PolicyService {
  readonly fetch: ScriptedFetch = scriptedFetch((sent) => this.#answer(sent));
  /** Documents by the name of their policy; the place of a version is its number less one. */
  readonly #kept = new Map<string, { versions: string[]; current: number }>();

  /** No errors. */
  with(policy: string, ...documents: object[]): this {
    this.#kept.set(policy, { versions: documents.map((each) => JSON.stringify(each)), current: documents.length });
    return this;
  }

  /** Changes that were sent, such as `PUT /v1/policies/lamp`. */
  get changes(): string[] {
    const { sent } = this.fetch;
    return sent.filter(({ method }) => method !== 'GET').map(({ method, url }) => `${method} ${pathOf(url)}`);
  }

  /** The document that counts, as it was sent. */
  textOf(policy: string): string | undefined {
    const found = this.#kept.get(policy);
    return found?.versions[found.current - 1];
  }

  #answer({ url, method, headers, body = '' }: Sent): Response {
    const [, , policies = '', policy, verb] = pathOf(url).split('/');
    if (policies !== 'policies') return problem(404, 'no-route');
    if (policy === undefined)
      return json({ policies: [VIEWER, ...[...this.#kept.keys()].map((each) => this.#view(each))] });
    if (policy === 'role:viewer') return json(VIEWER);
    const found = this.#kept.get(policy);
    const tag = found && `"${found.versions.length}.${found.current}"`;
    const isExpected = headers['if-none-match'] === '*' ? !found : headers['if-match'] === tag;
    if (method !== 'GET' && !isExpected) return problem(412, 'precondition-failed');
    if (method === 'PUT') {
      const versions = [...(found?.versions ?? []), body];
      this.#kept.set(policy, { versions, current: versions.length });
    }
    if (!this.#kept.has(policy)) return problem(404, 'no-record', `There is no policy ${policy}`);
    if (verb === 'rollback') found!.current = (JSON.parse(body) as { version: number }).version;
    if (method === 'DELETE') return (this.#kept.delete(policy), new Response(null, { status: 204 }));
    return json(this.#view(policy), tag);
  }

  #view(policy: string): object {
    const { versions, current } = this.#kept.get(policy)!;
    const stamps = versions.map((_, index) => ({
      version: index + 1,
      createdAt: `day ${index + 1}`,
      createdBy: 'ada',
    }));
    return {
      ...{ policy, document: JSON.parse(versions[current - 1]!) as object, notes: [], version: current },
      ...{ versions: stamps, builtIn: false },
    };
  }
}

const pathOf = (url: string): string => decodeURIComponent(new URL(url).pathname);
const json = (body: object, etag = ''): Response => new Response(JSON.stringify(body), { headers: { etag } });
