import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectionsWithin, descriptorLimit, httpConnectionsWithin } from './descriptors.js';

describe('descriptorLimit', () => {
  const folder = mkdtempSync(join(tmpdir(), 'umbra-limits-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each([
    ['Max processes 5 5 processes\nMax open files            1024                 524288               files\n', 1024],
    ['Max open files            unlimited            unlimited            files\n', null],
    ['', null],
  ])('reads %j', (text, expected) => {
    const path = join(folder, 'limits');
    writeFileSync(path, text);
    expect(descriptorLimit(path)).toBe(expected);
  });

  it('knows none where there is no such file', () => expect(descriptorLimit(join(folder, 'none'))).toBeNull());
});

describe('connectionsWithin', () => {
  it.each([
    [null, 100_000],
    [64, 32],
    [256, 128],
    [1024, 768],
    [20_000, 15_904],
    [1_048_576, 1_044_480],
  ])('%p descriptors: %p connections', (limit, connections) => expect(connectionsWithin(limit)).toBe(connections));
});

describe('httpConnectionsWithin', () => {
  it.each([
    [null, 100_000, 4096],
    [64, 32, 16],
    [1024, 768, 160],
    [1024, 1000, 160],
    [1024, 100, 828],
    [1_048_576, 1_044_480, 4000],
  ])('%p descriptors, %p MQTT connections: %p', (limit, maxMqtt, connections) =>
    expect(httpConnectionsWithin(limit, maxMqtt)).toBe(connections),
  );
});
