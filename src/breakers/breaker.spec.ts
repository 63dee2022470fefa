import { SettableClock } from '../../test/harness/clock.js';
import { SILENT_LOGGER } from '../telemetry/logger.js';
import { BreakerOpen } from './breaker-open.js';
import { Breaker, type BreakerOptions } from './breaker.js';

describe('a breaker', () => {
  let clock: SettableClock;
  let breaker: Breaker;
  let states: string[];
  /** Calls that reached the dependency. */
  let made: number;
  let peers: string[];

  const make = (changes: Partial<BreakerOptions> = {}): void => {
    const onChange = (): void => void states.push(breaker.state.state);
    const options = { dependency: 'd', clock, logger: SILENT_LOGGER, peers: () => peers, random: () => 0.5, onChange };
    breaker = new Breaker({ ...options, ...changes });
  };
  beforeEach(() => {
    clock = new SettableClock();
    states = [];
    made = 0;
    peers = [];
    make();
  });

  /** `+` a success, `-` a failure, `x` one that is refused, a digit that many seconds. */
  async function play(script: string): Promise<string> {
    let seen = '';
    for (const step of script.replaceAll(' ', '')) {
      if (/\d/.test(step)) {
        clock.advance(Number(step) * 1_000);
        seen += step;
        continue;
      }
      const result = breaker.run(() => {
        made++;
        return step === '-' ? Promise.reject(new Error('no')) : Promise.resolve('yes');
      });
      seen += await result.then(
        () => '+',
        (error: unknown) => (error instanceof BreakerOpen ? 'x' : '-'),
      );
    }
    return seen;
  }
  const seconds = (n: number): string => '9'.repeat(Math.floor(n / 9)) + String(n % 9);

  it.each([
    ['three failures in a row', '---', 'closed'],
    ['four in a row', '----', 'open'],
    ['four in a row, however far apart', `-${seconds(200)}-${seconds(200)}-${seconds(200)}-`, 'open'],
    ['four with a success in between', '-+-- +', 'closed'],
    ['three of five', '+-+--', 'open'],
    ['three of five that ended well last', '--+-+', 'closed'],
    ['two of five', '++--+', 'closed'],
    ['two of four', '+-+-', 'closed'],
    ['six of ten', '+-+-+-+---', 'open'],
    ['five of ten', '+-+-+-+-+-', 'closed'],
    ['three of five, the first 29 s ago', `+-${seconds(29)}+--`, 'open'],
    ['three of five, the first two 30 s ago', `+-${seconds(30)}+--`, 'closed'],
  ])('after %s', async (_what, script, state) => {
    await play(script);
    expect(breaker.state.state).toBe(state);
  });

  it('refuses calls for a minute, and says why', async () => {
    await play('----');
    expect(breaker.state).toEqual({ state: 'open', failureCount: 4, openedAt: clock.now() });
    expect(breaker.reason).toBe('open for another 60 s, 4 failures in a row, the last: no');
    await expect(breaker.run(() => Promise.resolve())).rejects.toMatchObject({
      ...{ name: 'BreakerOpen', dependency: 'd', leftMs: 60_000, message: 'd is not asked for another 60 s: no' },
    });
    expect(await play(`x${seconds(59)}x`)).toBe(`x${seconds(59)}x`);
    expect(made).toBe(4);
    expect(await play('1+')).toBe('1+');
    expect(breaker.state).toEqual({ state: 'closed', failureCount: 0, openedAt: null });
    expect(states).toEqual(['open', 'half-open', 'closed']);
  });

  it('stays open twice as long after each probe that fails, at most 5 min, and begins again after one that succeeds', async () => {
    const opened: number[] = [];
    await play('----');
    for (let round = 0; round < 5; round++) {
      const match = /another (\d+) s/.exec(breaker.reason);
      opened.push(Number(match?.[1]));
      expect(await play(`${seconds(opened.at(-1)! - 1)}x1-x`)).toMatch(/x1-x$/);
    }
    expect(opened).toEqual([60, 120, 240, 300, 300]);
    await play(`${seconds(300)}+`);
    expect(await play('----x')).toBe('----x');
    expect(breaker.reason).toContain('another 60 s');
  });

  it.each([
    [0, 54_000],
    [1, 66_000],
  ])('varies its pause by a tenth (%d)', async (random, leftMs) => {
    make({ random: () => random });
    await play('----');
    await expect(breaker.run(() => Promise.resolve())).rejects.toMatchObject({ leftMs });
  });

  it('does not mind what the wall clock does', async () => {
    await play('----');
    clock.jump(48 * 3_600_000);
    expect(await play('x')).toBe('x');
    clock.jump(-96 * 3_600_000);
    expect(await play(`${seconds(59)}x1+`)).toMatch(/x1\+$/);
  });

  it('lets one probe through while the others wait for its end', async () => {
    for (const end of ['succeeds', 'fails'] as const) {
      make();
      await play(`----${seconds(60)}`);
      made = 0;
      let finish: () => void = () => undefined;
      const probe = breaker.run(async () => {
        made++;
        await new Promise<void>((resolve) => (finish = resolve));
        if (end === 'fails') throw new Error('still');
      });
      const others = Array.from({ length: 20 }, () => breaker.run(async () => void made++));
      await new Promise((resolve) => setImmediate(resolve));
      expect([made, breaker.state.state]).toEqual([1, 'half-open']);
      finish();
      const [first, ...rest] = await Promise.allSettled([probe, ...others]);
      const expected = end === 'fails' ? 'rejected' : 'fulfilled';
      expect(new Set([first, ...rest].map((each) => each?.status))).toEqual(new Set([expected]));
      expect(made).toBe(end === 'fails' ? 1 : 21);
    }
  });

  it.each([1, 2, 5])('closes after %d probes, and one that fails opens it for longer', async (probes) => {
    make({ probes });
    await play(`----${seconds(60)}${'+'.repeat(probes - 1)}`);
    expect(breaker.state.state).toBe(probes === 1 ? 'open' : 'half-open');
    expect(await play('-x')).toBe('-x');
    expect(breaker.reason).toContain('another 120 s');
    await play(`${seconds(120)}${'+'.repeat(probes)}`);
    expect(breaker.state.state).toBe('closed');
    expect(await play('--+')).toBe('--+');
    clock.advance(31_000);
    expect(await play('----x')).toBe('----x');
    expect(breaker.reason).toContain('another 60 s');
  });

  it.each([0, 6, 1.5])('takes no %d probes', (probes) => {
    expect(() => make({ probes })).toThrow('1 to 5 probes');
  });

  it('takes no notice of the end of a call that was begun before it opened', async () => {
    for (const end of ['yes', 'no']) {
      make();
      let finish: () => void = () => undefined;
      const late = breaker
        .run(async () => {
          await new Promise<void>((resolve) => (finish = resolve));
          if (end === 'no') throw new Error('late');
        })
        .catch(() => undefined);
      await play(`----${seconds(60)}`);
      let endProbe: () => void = () => undefined;
      const probe = breaker.run(() => new Promise<void>((resolve) => (endProbe = resolve)));
      finish();
      await late;
      expect(breaker.state).toMatchObject({ state: 'half-open', failureCount: 4 });
      endProbe();
      await probe;
      expect(breaker.state.state).toBe('closed');
    }
  });

  it('opens at one failure while a peer is open, and never by the peer alone', async () => {
    peers = ['node-b'];
    expect(await play('++++++')).toBe('++++++');
    expect(breaker.reason).toBe('closed; open on node-b');
    expect(await play('-x')).toBe('-x');
    peers = [];
    await play(`${seconds(60)}+`);
    expect(await play('---')).toBe('---');
    expect(breaker.state.state).toBe('closed');
  });

  it('probes with the next call when a peer has closed', async () => {
    await play('----');
    breaker.peerClosed();
    expect(breaker.state.state).toBe('open');
    expect(breaker.reason).toContain('open until the next call');
    expect(await play('-x')).toBe('-x');
    expect(breaker.reason).toContain('another 120 s');
    breaker.peerClosed();
    expect(await play('+')).toBe('+');
    expect(breaker.state.state).toBe('closed');
    breaker.peerClosed();
    expect(await play('---')).toBe('---');
    expect(breaker.state.state).toBe('closed');
  });

  it('takes a call that throws at once for a failure, and keeps little of what it says', async () => {
    const thrower = (): Promise<void> => {
      throw new Error('x'.repeat(10_000));
    };
    for (let i = 0; i < 4; i++) await expect(breaker.run(thrower)).rejects.toThrow('xxx');
    expect(breaker.state.state).toBe('open');
    expect(breaker.reason.length).toBeLessThan(400);
  });
});
