import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import mqttPacket from 'mqtt-packet';
import { startMqttNode } from '../harness/mqtt-node.js';
import { until } from '../harness/until.js';
it('figures', async () => {
  const node = await startMqttNode();
  const child = spawn(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `
    import { connect } from 'node:net';
    import { createRequire } from 'node:module';
    const p = createRequire('/work/main/package.json')('mqtt-packet');
    const conns = 50, per = 400;
    let acc = 0, pub = 0;
    for (let c = 0; c < conns; c++) {
      const s = connect(${node.port}, '127.0.0.1'); s.setNoDelay(true);
      const t = '$aws/things/bench' + c + '/shadow';
      const parser = p.parser();
      let n = 0;
      const next = () => { if (n >= per) return; n++; s.write(p.generate({ cmd: 'publish', topic: t + '/update', payload: JSON.stringify({ state: { reported: { n, temperature: 20.5, ok: true } }, clientToken: 't' + n }), qos: 1, messageId: n, dup: false, retain: false })); };
      parser.on('packet', (x) => {
        if (x.cmd === 'connack') s.write(p.generate({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: t + '/update/accepted', qos: 1 }, { topic: t + '/update/rejected', qos: 1 }] }));
        if (x.cmd === 'suback') { next(); next(); next(); next(); }
        if (x.cmd === 'publish') { acc++; s.write(p.generate({ cmd: 'puback', messageId: x.messageId })); next(); if (acc === conns * per) { console.log('done'); process.exit(0); } }
      });
      s.on('data', (d) => parser.parse(d));
      s.write(p.generate({ cmd: 'connect', clientId: 'b' + c, protocolId: 'MQTT', protocolVersion: 4, clean: true, keepalive: 0 }));
    }
  `,
    ],
    { stdio: 'inherit' },
  );
  for (let round = 0; round < 1; round++) {
    const cpu = process.cpuUsage();
    const t = Date.now();
    await new Promise((r) => child.once('exit', r));
    const used = process.cpuUsage(cpu);
    process.stderr.write(
      `updates 20000: cpu us/update ${((used.user + used.system) / 20000).toFixed(1)}, ${(20000 / ((Date.now() - t) / 1000)).toFixed(0)}/s\n`,
    );
  }
  (globalThis as any).gc?.();
  const before = process.memoryUsage();
  const sockets = [];
  for (let i = 0; i < 3000; i++) {
    const s = connect(node.port, '127.0.0.1');
    sockets.push(s);
    s.on('error', () => {});
    const t = '$aws/things/idle' + i + '/shadow';
    s.write(
      mqttPacket.generate({
        cmd: 'connect',
        clientId: 'idle' + i,
        protocolId: 'MQTT',
        protocolVersion: 4,
        clean: true,
        keepalive: 0,
      }),
    );
    s.write(
      mqttPacket.generate({
        cmd: 'subscribe',
        messageId: 1,
        subscriptions: [t + '/update/delta', t + '/update/accepted', t + '/update/rejected', t + '/get/+'].map(
          (topic) => ({ topic, qos: 1 as const }),
        ),
      }),
    );
  }
  await until('all', () => node.broker.connections >= 3000, 60000);
  await new Promise((r) => setTimeout(r, 1000));
  (globalThis as any).gc?.();
  const after = process.memoryUsage();
  process.stderr.write(
    `idle: rss ${((after.rss - before.rss) / 3000 / 1024).toFixed(1)} KiB, heap ${((after.heapUsed - before.heapUsed) / 3000 / 1024).toFixed(1)} KiB per connection (both ends in one process)\n`,
  );
  for (const s of sockets) s.destroy();
  await node.stop();
}, 120000);
