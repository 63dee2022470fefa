import type { Etcd3 } from 'etcd3';
import { etcdConfig } from '../../../../test/harness/etcd-store.js';
import { SettableClock } from '../../../../test/harness/clock.js';
import { SILENT_LOGGER } from '../../../telemetry/logger.js';
import type { Channel } from './channel/etcd-channel.js';
import { EtcdMembers } from './members.js';

const HOSTS = ['http://a', 'http://b', 'http://c'];

it('calls the leader, and one that has failed only when it has not failed for a while', () => {
  const clock = new SettableClock();
  const none = { createClient: () => ({}) as Etcd3, createChannel: () => ({}) as Channel };
  const members = new EtcdMembers(etcdConfig(HOSTS), clock, SILENT_LOGGER, none);
  const preferred = (host: string): string => {
    members.prefer(host);
    return members.current().host;
  };
  expect([members.current().host, preferred('http://b'), preferred('http://elsewhere')]).toEqual(['http://a', 'http://b', 'http://b']); // prettier-ignore
  members.rotate(members.current(), new Error('it hangs'));
  expect([members.current().host, preferred('http://b')]).toEqual(['http://c', 'http://c']);
  clock.advance(9_999);
  expect([preferred('http://b'), preferred('http://a')]).toEqual(['http://c', 'http://a']);
  clock.advance(1);
  expect(preferred('http://b')).toBe('http://b');
  // It fails as soon as it is called again, and is called again less and less.
  const returns = (ms: number): number => {
    let count = 0;
    for (const end = clock.monotonic() + ms; clock.monotonic() < end; clock.advance(3_000)) {
      if (preferred('http://b') !== 'http://b') continue;
      count++;
      members.rotate(members.current(), new Error('it hangs'));
    }
    return count;
  };
  expect([returns(300_000), returns(3_600_000)]).toEqual([4, 7]);
  clock.advance(1_200_000);
  expect(returns(60_000)).toBeGreaterThan(1);
});

it('goes back to the leader ten seconds after an outage of all members, however often each was tried', () => {
  const clock = new SettableClock();
  const none = { createClient: () => ({}) as Etcd3, createChannel: () => ({}) as Channel };
  const members = new EtcdMembers(etcdConfig(HOSTS), clock, SILENT_LOGGER, none);
  for (let tries = 0; tries < 60; tries++, clock.advance(100)) members.rotate(members.current(), new Error('away'));
  clock.advance(10_000);
  const leader = HOSTS.find((host) => host !== members.current().host)!;
  members.prefer(leader);
  expect(members.current().host).toBe(leader);
});
