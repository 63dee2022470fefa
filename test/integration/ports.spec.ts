import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { freePort, listenerIsOurs } from '../harness/ports.js';

const LISTEN = "require('net').createServer().listen(+process.argv[1], '127.0.0.1', () => console.log('listens'))";

describe('freePort', () => {
  it('never gives the same port twice, and none of those of outgoing connections', async () => {
    const ports = await Promise.all(Array.from({ length: 50 }, () => freePort()));
    expect(new Set(ports).size).toBe(50);
    for (const port of ports) expect(port >= 20_000 && port < 32_768).toBe(true);
  });
});

// Only Linux tells which process listens.
(process.platform === 'linux' ? describe : describe.skip)('listenerIsOurs', () => {
  it('knows the process that listens, its parent, and a stranger', async () => {
    const port = await freePort();
    expect(listenerIsOurs(port, process.pid)).toBe(false);
    const child = spawn(process.execPath, ['-e', LISTEN, String(port)], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    const stranger = spawn('sleep', ['60']);
    expect(listenerIsOurs(port, child.pid as number)).toBe(true);
    expect(listenerIsOurs(port, process.pid)).toBe(true);
    expect(listenerIsOurs(port, stranger.pid as number)).toBe(false);
    for (const process of [child, stranger]) {
      const ended = once(process, 'exit');
      process.kill('SIGKILL');
      await ended;
    }
  });
});
