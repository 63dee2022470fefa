import { deltaMessage, documentsMessage } from '../../src/document/messages.js';
import { isTombstone } from '../../src/document/shadow-document.js';
import type { ShadowEvent } from '../../src/watch/subscription.js';
import { startHttpNode, type HttpNode } from '../harness/http-node.js';
import { loadVectors, runVector, type Outcome, type VectorDriver, type VectorOp } from '../harness/vectors.js';

const METHODS: Record<VectorOp, string> = { get: 'GET', update: 'POST', delete: 'DELETE' };

/**
 * The AWS data plane. A GET has no body, and errors have their own shape; delta and documents are what the hub gives to
 * whoever publishes them.
 */
function driver(node: HttpNode): VectorDriver {
  return {
    setNow: (seconds) => node.clock.set(seconds * 1000),
    async request(op, thing, shadow, payload): Promise<Outcome> {
      const query = shadow === null ? '' : `?name=${encodeURIComponent(shadow)}`;
      const changes = node.hub.subscribe({ filter: { tenant: 'default', thing, name: shadow }, from: 'now' });
      const body = op === 'get' || payload.length === 0 ? null : payload;
      const response = await fetch(`${node.url}/things/${thing}/shadow${query}`, { method: METHODS[op], body });
      const answer = (await response.json()) as Record<string, unknown>;
      const token = tokenOf(payload);
      if (op === 'get' || !response.ok) changes.close();
      if (!response.ok) {
        // The AWS error body has no token to echo; a GET has nothing to carry one in.
        return {
          rejected: { code: response.status, message: answer['message'], ...token },
          delta: null,
          documents: null,
        };
      }
      if (op === 'get') return { accepted: { ...answer, ...token }, delta: null, documents: null };
      const messages = await messagesOf(node, changes);
      changes.close();
      return { accepted: answer, ...messages };
    },
  };
}

async function messagesOf(node: HttpNode, changes: AsyncIterable<ShadowEvent>): Promise<Outcome> {
  for await (const event of changes) {
    if (event.kind !== 'change') continue;
    const { key, state, change, position } = event.record;
    if (isTombstone(state)) break;
    const previous = await node.store.getBefore(key, position, { deadline: Number.MAX_SAFE_INTEGER });
    return { delta: deltaMessage(state, change), documents: documentsMessage(previous?.state ?? null, state, change) };
  }
  return { delta: null, documents: null };
}

function tokenOf(payload: Buffer): { clientToken?: unknown } {
  try {
    const { clientToken } = JSON.parse(payload.toString()) as { clientToken?: unknown };
    return clientToken === undefined ? {} : { clientToken };
  } catch {
    return {};
  }
}

describe('the protocol vectors through REST', () => {
  let node: HttpNode;
  beforeAll(async () => (node = await startHttpNode()));
  afterAll(() => node.stop());

  const vectors = loadVectors();
  it('are all here', () => expect(vectors).toHaveLength(66));
  it.each(vectors.map((vector) => [vector.name, vector] as const))('%s', async (_name, vector) => {
    expect(await runVector(vector, driver(node))).toEqual([]);
  });
});
