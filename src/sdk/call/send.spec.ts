import { ManualClock } from '../testing/manual-clock.js';
import { scriptedFetch } from '../testing/scripted-fetch.js';
import { Umbra, type UmbraOptions } from '../umbra.js';
import type { UmbraError } from '../umbra-error.js';
import type { Answer } from './call.js';
import type { Request } from './request.js';

const ok = (): Response => new Response('{"version":1}');
const never = (): Promise<Response> => new Promise(() => undefined);

const READ: Request = { path: '/v1/things' };
const WRITE: Request = { path: '/v1/things/lamp/shadow/desired', method: 'PATCH', body: { on: true } };

/** A client whose requests get these answers, one after the other; the last one stays. */
function client(answers: (() => Response | Promise<Response>)[], options: Partial<UmbraOptions> = {}) {
  const clock = new ManualClock();
  const fetch = scriptedFetch((_, index) => answers[Math.min(index, answers.length - 1)]!());
  const umbra = new Umbra({ url: 'https://umbra.example', fetch, clock, random: () => 0, ...options });
  /** Runs time on until the call has ended. */
  const outcome = async (request: Request): Promise<Answer | UmbraError> => {
    let ended: Answer | UmbraError | undefined;
    umbra.call(request).then(
      (answer) => (ended = answer),
      (error: UmbraError) => (ended = error),
    );
    // It sets its timers first.
    await clock.advance(0);
    for (let step = 0; ended === undefined && step < 100; step++) await clock.advance(clock.next ?? 0);
    return ended!;
  };
  return { fetch, clock, outcome };
}

describe('an answer that takes its time', () => {
  /** Its pieces come each 6 s, the head with the first one; after the last it ends, or stalls. */
  const slow = (clock: ManualClock, pieces: readonly string[], isWhole = true): Response => {
    const body = new ReadableStream<Uint8Array>({
      start: (to) =>
        pieces.forEach((piece, i) =>
          clock.after(6_000 * i, () => {
            to.enqueue(new TextEncoder().encode(piece));
            if (isWhole && i === pieces.length - 1) to.close();
          }),
        ),
    });
    return new Response(body);
  };
  const pieces = ['{"a"', ':', '1', '}'];

  it('is waited for while its pieces come', async () => {
    const { fetch, clock, outcome } = client([() => slow(clock, pieces)]);
    expect(await outcome(READ)).toMatchObject({ status: 200, text: '{"a":1}' });
    expect([fetch.sent.length, clock.monotonic(), clock.timers]).toEqual([1, 18_000, 0]);
  });

  it('ends with its call all the same', async () => {
    const { clock, outcome } = client([() => slow(clock, pieces)]);
    expect(await outcome({ ...WRITE, timeoutMs: 15_000 })).toMatchObject({ code: 'timeout', outcome: 'unknown' });
    expect(clock.monotonic()).toBe(15_000);
  });

  it('has stalled once no piece has come for the time of an attempt, and is asked for again', async () => {
    const { fetch, clock, outcome } = client([() => slow(clock, pieces, false), ok]);
    expect(await outcome({ ...READ, timeoutMs: 60_000 })).toMatchObject({ text: '{"version":1}' });
    expect([fetch.sent.length, clock.monotonic()]).toEqual([2, 28_200]);
  });

  it('says of a write that its answer has stalled', async () => {
    const { clock, outcome } = client([() => slow(clock, ['{'], false)], { idempotencyKeys: false });
    expect(await outcome(WRITE)).toMatchObject({
      ...{ code: 'stalled', outcome: 'unknown', retryable: true },
      message: `PATCH ${WRITE.path} has stalled for 10000 ms`,
    });
  });

  it('is bounded by its call alone if the body of the request is a stream', async () => {
    const late = (clock: ManualClock) => new Promise<Response>((resolve) => clock.after(11_000, () => resolve(ok())));
    const { fetch, clock, outcome } = client([() => late(clock), never]);
    const request = { ...WRITE, body: new Blob(['{}']).stream() };
    expect(await outcome(request)).toMatchObject({ status: 200 });
    expect([fetch.sent.length, clock.monotonic()]).toEqual([1, 11_000]);
    const slower = { ...request, body: new Blob(['{}']).stream(), timeoutMs: 300_000 };
    expect(await outcome(slower)).toMatchObject({ code: 'timeout', outcome: 'unknown' });
    expect(clock.monotonic()).toBe(311_000);
  });
});
