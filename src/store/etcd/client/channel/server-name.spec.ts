import { serverNameOf } from './server-name.js';

describe('the name of a server in TLS', () => {
  it.each([
    ['etcd-0.etcd.default.svc', 'etcd-0.etcd.default.svc'],
    ['etcd.example.com.', 'etcd.example.com'],
    ['127.0.0.1', undefined],
    ['::1', undefined],
    ['fe80::1%eth0', undefined],
  ])('of %s is %s', (host, name) => {
    expect(serverNameOf(host)).toBe(name);
  });
});
