import { Webhook } from 'standardwebhooks';
import { makeSecret, secretKey, signedHeaders } from './signature.js';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

describe('signatures', () => {
  it('are those of the vector of Standard Webhooks', () => {
    const message = { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', at: 1_614_265_330_999, body: '{"test": 2432232314}' };
    expect(signedHeaders([secretKey(SECRET)], message)).toEqual({
      'webhook-id': message.id,
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    });
  });

  it('are accepted by its library under each key, and not for another body', () => {
    const [old, young] = [makeSecret(), makeSecret()];
    const body = '{"thing":"Lampe-ä"}';
    const headers = signedHeaders([secretKey(young), secretKey(old)], { id: 'evt_1', at: Date.now(), body });
    for (const secret of [old, young]) expect(new Webhook(secret).verify(body, headers)).toEqual(JSON.parse(body));
    expect(() => new Webhook(makeSecret()).verify(body, headers)).toThrow('No matching signature');
    expect(() => new Webhook(old).verify(`${body} `, headers)).toThrow('No matching signature');
  });
});

describe('secrets', () => {
  it('that are made are other ones each time, of 32 bytes', () => {
    expect(secretKey(makeSecret())).toHaveLength(32);
    expect(makeSecret()).not.toBe(makeSecret());
  });

  it.each([
    ['without prefix', SECRET.slice(6), 'begins with whsec_'],
    ['of another alphabet', `${SECRET.slice(0, -1)}_`, 'is base64'],
    ['without padding', `whsec_${Buffer.alloc(25).toString('base64').replace(/=/g, '')}`, 'padding'],
    ['that is short', `whsec_${Buffer.alloc(23).toString('base64')}`, '24 to 64 bytes, not 23'],
    ['that is long', `whsec_${Buffer.alloc(65).toString('base64')}`, '24 to 64 bytes, not 65'],
    ['that is empty', 'whsec_', '24 to 64 bytes, not 0'],
  ])('%s are refused, and not shown', (_, secret, reason) => {
    expect(() => secretKey(secret)).toThrow(RangeError);
    expect(() => secretKey(secret)).toThrow(reason);
  });
});
