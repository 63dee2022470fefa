import { Redis } from 'ioredis';
import { consume } from '../../src/sdk/redis/index.js';

/**
 * A consumer in a process of its own, to be killed. It pushes what it has handled into the list `handled`. A change of
 * the thing `poison` kills it, and none of `bad` succeeds. SIGTERM ends it gracefully.
 */
const [port, stream, consumer, claimIdleMs] = process.argv.slice(2) as [string, string, string, string];
const redis = new Redis({ host: '127.0.0.1', port: Number(port) });
redis.on('error', () => undefined);
const end = new AbortController();
process.once('SIGTERM', () => end.abort());

const report = await consume({
  ...{ redis, stream, consumer, group: 'workers', claimIdleMs: Number(claimIdleMs), maxTries: 3, retryMs: 10 },
  ...{ batch: 20, concurrency: 5, signal: end.signal },
  async handle({ thing, revision, entry }, { tries, isLate }) {
    if (thing === 'poison') process.kill(process.pid, 'SIGKILL');
    if (thing === 'bad') throw new Error(`never, not even at try ${tries}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
    await redis.rpush('handled', JSON.stringify({ consumer, thing, revision, entry, tries, isLate }));
  },
});
process.stdout.write(JSON.stringify(report));
redis.disconnect();
