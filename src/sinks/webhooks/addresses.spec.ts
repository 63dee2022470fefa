import { ReachableAddresses } from './addresses.js';
import { endpointUrl, RefusedUrl } from './endpoint-client.js';

const all = new ReachableAddresses();

describe('addresses', () => {
  it.each([
    ['loopback', ['127.0.0.1', '127.255.255.254', '::1', '0:0:0:0:0:0:0:1', '::ffff:127.0.0.1', '::ffff:7f00:1']],
    ['private', ['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', '100.64.0.1', 'fd12::1', 'fc00::1']],
    ['link-local', ['169.254.1.1', 'fe80::1', 'fe80::1%eth0', 'febf::1']],
    ['multicast', ['224.0.0.1', '239.255.255.250', 'ff02::1']],
    ['metadata', ['169.254.169.254', '168.63.129.16', '100.100.100.200', 'fd00:ec2::254', '::ffff:169.254.169.254']],
    ['reserved', ['0.0.0.0', '0.1.2.3', '255.255.255.255', '240.0.0.1', '192.0.2.1', '198.18.0.1', '::', '::7f00:1']],
    ['reserved', ['64:ff9b::7f00:1', '2002:7f00:1::1', '2001::1', '2001:db8::1', '100::1', '4000::1']],
  ])('that are %s are refused', (name, addresses) => {
    for (const address of addresses)
      expect([address, all.refusalOf(address)]).toEqual([address, expect.stringContaining(name)]);
  });

  it.each(['1.1.1.1', '172.32.0.1', '100.128.0.1', '169.253.1.1', '::ffff:8.8.8.8', '2606:4700::1111', '2a00:1450::1'])(
    '%s may be reached',
    (address) => expect(all.refusalOf(address)).toBeNull(),
  );

  it.each(['', 'localhost', '1.1.1', '1.1.1.1.1', '[::1]'])('%j is none', (text) => {
    expect(all.refusalOf(text)).toContain('is no address');
    expect(all.isNamed(text)).toBe(false);
  });

  it('that the operator names may be reached, in every form, and no others', () => {
    const some = new ReachableAddresses(['10.1.0.0/16', 'fd00::5', '127.0.0.1']);
    for (const address of ['10.1.2.3', '::ffff:10.1.2.3', 'fd00::5', 'fd00:0::5', '127.0.0.1']) {
      expect([address, some.refusalOf(address), some.isNamed(address)]).toEqual([address, null, true]);
    }
    for (const address of ['10.2.0.1', 'fd00::6', '127.0.0.2']) expect(some.refusalOf(address)).not.toBeNull();
    expect(some.isNamed('1.1.1.1')).toBe(false);
  });

  it.each(['10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/8', 'lan', '::ffff:10.0.0.0/104', 'fe80::%eth0/10', 'fd00::/129'])(
    '%s is no range',
    (range) => expect(() => new ReachableAddresses([range])).toThrow(RangeError),
  );
});

describe('the URL of an endpoint', () => {
  it.each([
    ['ftp://example.com/', 'must begin with https://'],
    ['example.com', 'must be one such as'],
    ['https://user:secret@example.com/', 'must not hold a user or a password'],
    ['https://127.1/', 'loopback'],
    ['https://0x7f000001/', 'loopback'],
    ['https://2130706433/', 'loopback'],
    ['https://[::1]/', 'loopback'],
    ['https://[::ffff:10.0.0.1]/', 'private'],
    ['https://169.254.169.254/latest/meta-data', 'metadata'],
    ['http://1.1.1.1/', 'go over https'],
  ])('%s is refused', (url, reason) => {
    expect(() => endpointUrl(url, all)).toThrow(RefusedUrl);
    expect(() => endpointUrl(url, all)).toThrow(reason);
    expect(() => endpointUrl(url, all)).not.toThrow('secret');
  });

  it('may be a name, of which the address is checked later, and an address', () => {
    expect(endpointUrl('https://hooks.example.com/a?b=c', all).hostname).toBe('hooks.example.com');
    expect(endpointUrl('https://1.1.1.1/', all).hostname).toBe('1.1.1.1');
    expect(endpointUrl('http://10.0.0.1/', new ReachableAddresses(['10.0.0.0/8'])).hostname).toBe('10.0.0.1');
  });
});
