import type { Cached } from '../actors/cache-sampler.js';
import type { SinkHistory } from '../model/sink-history.js';
import { same } from '../model/model.js';
import type { LabNode } from '../topology.js';
import { PROMISES } from './promises.js';

interface Document {
  readonly state: { readonly desired?: object; readonly reported?: object };
  readonly metadata: object;
  readonly version: number;
}

/** In the end every document of the read cache is that of the store. @throws Error when the node does not answer */
export async function checkCache(
  history: SinkHistory,
  cache: ReadonlyMap<string, Cached>,
  { node, key }: { readonly node: LabNode; readonly key: string },
): Promise<void> {
  for (const [shadow, { document }] of cache) {
    const [thing = '', name] = shadow.split('/');
    const url = `${node.httpUrl}/v1/things/${thing}/shadow${name === undefined ? '' : `?name=${name}`}`;
    const answer = await fetch(url, { headers: { authorization: `Bearer ${key}` } });
    const stored = (await answer.json()) as Document;
    const cached = document === null ? null : (JSON.parse(document) as Document);
    if (answer.status !== 200 || cached === null || !same(contentOf(stored), contentOf(cached)))
      history.remark(PROMISES.cache, `${shadow}: ${document}, and the store has ${JSON.stringify(stored)}`);
  }
}

function contentOf({ state, metadata, version }: Document): never {
  return { desired: state.desired ?? {}, reported: state.reported ?? {}, metadata, version } as never;
}
