import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';

/** The first SIGUSR2 begins a CPU profile, the second writes it: start-up and warm-up are not in it. */
export function profileOnSignal(file: string): void {
  const session = new Session();
  let running = false;
  process.on('SIGUSR2', () => void toggle());
  async function toggle(): Promise<void> {
    if (!running) {
      running = true;
      session.connect();
      await session.post('Profiler.enable');
      await session.post('Profiler.setSamplingInterval', { interval: 250 });
      await session.post('Profiler.start');
      return;
    }
    const { profile } = await session.post('Profiler.stop');
    writeFileSync(file, JSON.stringify(profile));
    session.disconnect();
    running = false;
  }
}
