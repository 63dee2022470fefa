import { setTimeout as pause } from 'node:timers/promises';
import { connectMany, topicBytes, type Device } from './mqtt-device.js';
import { serve } from './helper.js';
import type { Sample } from './sample.js';
import { WindowClock } from './window.js';

/** A program of the load: one publisher of a shadow, and many subscribers of its `accepted`. */
const UPDATE = '$aws/things/hub/shadow/update';
const TOPIC = topicBytes(UPDATE);
/** Milliseconds for the last deliveries of a window. */
const QUIET_MS = 20_000;

const clock = new WindowClock();
let publisher: Device | null = null;
let subscribers: Device[] = [];
let got = 0;
let sent = 0;
let sentAt = 0;
let running = false;

serve({
  async open({ port, count }: { readonly port: number; readonly count: number }): Promise<void> {
    const [first, ...others] = await connectMany([port], count + 1, 'fan');
    publisher = first ?? null;
    subscribers = others;
    for (const subscriber of subscribers) subscriber.onMessage = took;
    for (let i = 0; i < count; i += 200) {
      const some = subscribers.slice(i, i + 200);
      await Promise.all(some.map((subscriber) => subscriber.subscribe(`${UPDATE}/accepted`)));
    }
  },
  async run(seconds: number): Promise<Sample> {
    running = true;
    publish();
    const sample = await clock.measure(seconds);
    running = false;
    const deadline = Date.now() + QUIET_MS;
    while (got < subscribers.length) {
      if (Date.now() > deadline) throw new Error(`${subscribers.length - got} deliveries are missing`);
      await pause(5);
    }
    return sample;
  },
});

/** The next update is sent when every subscriber has the last one: nothing piles up. */
function took(): void {
  clock.done(sentAt);
  if (++got === subscribers.length && running) publish();
}

function publish(): void {
  got = 0;
  sentAt = performance.now();
  publisher?.publish(TOPIC, (++sent % 65_535) + 1, `{"state":{"reported":{"n":${sent},"door":"closed"}}}`);
}
